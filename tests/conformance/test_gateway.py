"""The same suite once more, through client, wire, server and pipeline."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from taulu.conformance import ConformanceSuite, Execute, Harness, ShiftedClock
from taulu.conformance.tables import STORAGE
from taulu.gateway import StorageTarget
from taulu.model import Table
from taulu.model.operation import Operation
from taulu.spi import Context
from taulu_client.remote import RemoteHandler
from taulu_client.rpc import Rpc, open_channel
from taulu_embedded import EmbeddedAdapter
from tests.testbed.live_gateway import live_gateway


@asynccontextmanager
async def remote(address: str, clock: ShiftedClock) -> AsyncGenerator[Execute]:
    """Call a gateway as a client does."""
    calls = Rpc(open_channel(address, 64 * 1024 * 1024))
    handler = RemoteHandler(calls)

    async def execute(operation: Operation, context: Context) -> object:
        return await handler.execute(operation, context.deadline - clock.monotonic())

    try:
        yield execute
    finally:
        await calls.close()


class TestGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        options = {"path": str(tmp_path / "taulu.db"), "durability": "normal"}
        storage = {STORAGE: StorageTarget("embedded", options)}

        @asynccontextmanager
        async def start(tables: Sequence[Table], clock: ShiftedClock) -> AsyncGenerator[Execute]:
            async with (
                live_gateway(tables, storage, clock) as address,
                remote(address, clock) as execute,
            ):
                yield execute

        return Harness(start, EmbeddedAdapter.capabilities)
