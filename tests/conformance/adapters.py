"""Harnesses of adapters that run in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from taulu.conformance import Execute, Harness, ShiftedClock
from taulu.model import Table
from taulu.spi import Adapter, Environment


def direct(
    adapter_type: type[Adapter], options: Mapping[str, object], *, is_durable: bool
) -> Harness:
    """Return the harness of an adapter that is called with nothing in between."""

    @asynccontextmanager
    async def start(tables: Sequence[Table], clock: ShiftedClock) -> AsyncGenerator[Execute]:
        adapter = adapter_type.create(options, Environment(clock=clock))
        try:
            await adapter.open()
            for table in tables:
                await adapter.prepare(table)
            yield adapter.execute
        finally:
            await adapter.close()

    return Harness(start, adapter_type.capabilities, is_durable=is_durable)
