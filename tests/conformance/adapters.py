"""Harnesses of adapters: called directly, and through a live gateway as a client calls it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from taulu.conformance import Execute, Harness, ShiftedClock
from taulu.conformance.tables import STORAGE
from taulu.gateway import StorageTarget
from taulu.model import Table
from taulu.model.operation import Operation
from taulu.spi import Adapter, Capabilities, Context, Environment
from taulu_client.remote import RemoteHandler
from taulu_client.rpc import Rpc
from tests.testbed.live_gateway import live_gateway

NO_OPTIONS: Mapping[str, object] = {}


def direct(
    adapter_type: type[Adapter],
    options: Mapping[str, object],
    *,
    is_durable: bool,
    capabilities: Capabilities | None = None,
    table_options: Mapping[str, object] = NO_OPTIONS,
) -> Harness:
    """Return the harness of an adapter that is called with nothing in between.

    Args:
        adapter_type: The adapter.
        options: Those of its storage target.
        is_durable: Whether its rows outlive it.
        capabilities: What its tables can do when they are kept as here; the adapter's by default.
        table_options: The `storage.options` of every table.
    """

    @asynccontextmanager
    async def start(tables: Sequence[Table], clock: ShiftedClock) -> AsyncGenerator[Execute]:
        adapter = adapter_type.create(options, Environment(clock=clock))
        try:
            await adapter.open()
            for table in tables:
                described = replace(table, options=table_options)
                assert adapter.refusals(described) == []
                await adapter.prepare(described)
            yield adapter.execute
        finally:
            await adapter.close()

    return Harness(start, capabilities or adapter_type.capabilities, is_durable=is_durable)


def through_gateway(
    adapter_name: str,
    options: Mapping[str, object],
    *,
    capabilities: Capabilities,
    is_durable: bool = True,
    table_options: Mapping[str, object] = NO_OPTIONS,
) -> Harness:
    """Return the harness of an adapter behind client, wire, server and pipeline."""
    storage = {STORAGE: StorageTarget(adapter_name, options)}

    @asynccontextmanager
    async def start(tables: Sequence[Table], clock: ShiftedClock) -> AsyncGenerator[Execute]:
        described = [replace(table, options=table_options) for table in tables]
        async with (
            live_gateway(described, storage, clock) as address,
            remote(address, clock) as execute,
        ):
            yield execute

    return Harness(start, capabilities, is_durable=is_durable)


@asynccontextmanager
async def remote(address: str, clock: ShiftedClock) -> AsyncGenerator[Execute]:
    """Call a gateway as a client does."""
    calls = Rpc(address, 64 * 1024 * 1024)
    handler = RemoteHandler(calls)

    async def execute(operation: Operation, context: Context) -> object:
        return await handler.execute(operation, context.deadline - clock.monotonic())

    try:
        yield execute
    finally:
        await calls.close()
