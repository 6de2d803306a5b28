"""One worker process: a gateway behind a transport, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection

from taulu.gateway import GatewayOptions, open_gateway
from taulu.model.errors import Internal, TauluError
from taulu.model.table import Table
from taulu.server.cache_service import CacheService, worker_message
from taulu.server.catalog_service import CatalogService
from taulu.server.counter_service import CounterService
from taulu.server.data_service import DataService
from taulu.server.grpcio_transport import GrpcioTransport, TransportOptions
from taulu.server.log_service import LogService
from taulu.server.run_folder import joined
from taulu.server.timed import unobserved
from taulu.server.worker_metrics import MetricsOptions, open_metrics
from taulu.spi.adapter import Environment
from taulu.telemetry import Requests, configure_logs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """All that a worker needs; made by the supervisor and sent to the worker's process."""

    tables: tuple[Table, ...]
    gateway: GatewayOptions
    transport: TransportOptions
    server_id: str
    workers: int
    run_folder: str
    """Where the workers of this server have what they share while it runs."""
    token_window_s: float
    drain_s: float
    log_level: str
    log_json: bool
    metrics: MetricsOptions | None
    """None: no worker is scraped."""


def run_worker(options: WorkerOptions, number: int, pipe: Connection, is_first: bool) -> None:
    """Serve until SIGTERM, or until the supervisor's end of the pipe closes.

    Sends None when it serves, or code and message of the error that kept it from serving.

    Args:
        options: What all workers of the server are told.
        number: Which of them this is, from 0.
        pipe: To the supervisor.
        is_first: Whether it is the first that the server starts.
    """
    configure_logs(options.log_level, as_json=options.log_json)
    # An interrupt from a terminal reaches all processes; the supervisor decides for them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with joined(options.run_folder):
            asyncio.run(_serve(options, _environment(options, number, is_first), pipe))
    except asyncio.CancelledError:
        _log.info("the start was given up", extra={"pid": os.getpid()})
    except TauluError as error:
        pipe.send((error.code, error.message))
    except Exception as error:  # noqa: BLE001 - the supervisor must hear of it, whatever it is
        _log.exception("worker failed", extra={"pid": os.getpid()})
        said = f"a worker failed to start: {error!r}; its log has the details"
        pipe.send((Internal.code, said))


def _environment(options: WorkerOptions, number: int, is_first: bool) -> Environment:
    return Environment(
        server_id=options.server_id,
        token_window_s=options.token_window_s,
        workers=options.workers,
        worker=number,
        run_folder=options.run_folder,
        makes_storage=is_first,
    )


async def _serve(options: WorkerOptions, environment: Environment, pipe: Connection) -> None:
    loop, starting = asyncio.get_running_loop(), asyncio.current_task()

    def give_up() -> None:
        loop.remove_reader(pipe.fileno())
        if starting is not None:
            starting.cancel()

    loop.add_signal_handler(signal.SIGTERM, give_up)
    # The supervisor never writes to this pipe: it becomes readable when the supervisor is gone.
    loop.add_reader(pipe.fileno(), give_up)
    clock = environment.clock
    async with open_gateway(options.tables, options.gateway, environment) as gateway:
        methods = [
            *DataService(gateway, clock).methods(),
            *CounterService(gateway, clock).methods(),
            *LogService(gateway, clock).methods(),
            *CatalogService(gateway, options.transport.request_bytes_max).methods(),
            *CacheService(gateway, clock, worker_message(environment, gateway.run)).methods(),
        ]
        requests = Requests()
        observe = unobserved if options.metrics is None else requests.observe
        transport = GrpcioTransport(methods, options.transport, clock, observe)
        async with open_metrics(options.metrics, environment.worker, gateway, requests):
            await transport.start()
            stop = asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, stop.set)
            loop.add_reader(pipe.fileno(), stop.set)
            pipe.send(None)
            await stop.wait()
            loop.remove_reader(pipe.fileno())
            await transport.drain(options.drain_s)
