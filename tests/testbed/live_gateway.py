"""A whole gateway on a loopback port, in the test's own process, so that its clock can be moved."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from taulu.conformance import ShiftedClock
from taulu.gateway import GatewayOptions, StorageTarget, open_gateway
from taulu.model import Table
from taulu.server.cache_service import CacheService, worker_message
from taulu.server.catalog_service import CatalogService
from taulu.server.counter_service import CounterService
from taulu.server.data_service import DataService
from taulu.server.grpcio_transport import GrpcioTransport, TransportOptions
from taulu.server.listener import reserve_port
from taulu.server.log_service import LogService
from taulu.spi import Environment

REQUEST_BYTES_MAX = 4 * 1024 * 1024


@asynccontextmanager
async def live_gateway(
    tables: Sequence[Table], storage: dict[str, StorageTarget], clock: ShiftedClock
) -> AsyncGenerator[str]:
    """Serve tables until the context is left; yields the address."""
    environment = Environment(clock=clock)
    with reserve_port("127.0.0.1", 0) as port:
        address = f"127.0.0.1:{port}"
        async with open_gateway(tables, GatewayOptions(storage), environment) as gateway:
            methods = [
                *DataService(gateway, clock).methods(),
                *CounterService(gateway, clock).methods(),
                *LogService(gateway, clock).methods(),
                *CatalogService(gateway, REQUEST_BYTES_MAX).methods(),
                *CacheService(gateway, clock, worker_message(environment, gateway.run)).methods(),
            ]
            options = TransportOptions(address, REQUEST_BYTES_MAX, 5.0, 60.0)
            transport = GrpcioTransport(methods, options, clock)
            await transport.start()
            try:
                yield address
            finally:
                await transport.drain(0.1)
