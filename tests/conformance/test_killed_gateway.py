"""Durability once more, on gateway processes that are killed for real."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from taulu.conformance import Execute, Harness, ShiftedClock
from taulu.conformance.durability_promises import DurabilityPromises
from taulu.conformance.tables import STORAGE
from taulu.model import Table
from taulu_embedded import EmbeddedAdapter
from tests.conformance.adapters import remote
from tests.testbed.gateway_process import GatewayProcess
from tests.testbed.table_yaml import as_yaml


@pytest.mark.parametrize("workers", [1, 2])
class TestKilledGateway(DurabilityPromises):
    @pytest.fixture
    def harness(self, tmp_path: Path, workers: int) -> Harness:
        running: list[GatewayProcess] = []

        @asynccontextmanager
        async def start(tables: Sequence[Table], clock: ShiftedClock) -> AsyncGenerator[Execute]:
            described = tmp_path / "tables.yaml"
            described.write_text("---\n".join(as_yaml(table) for table in tables))
            store = f"{{{STORAGE}: {{adapter: embedded, path: taulu.db}}}}"
            gateway = GatewayProcess(tmp_path, [described], workers, f"storage: {store}")
            gateway.start()
            running.append(gateway)
            try:
                async with remote(gateway.address, clock) as execute:
                    yield execute
            finally:
                running.remove(gateway)
                gateway.close()

        async def kill() -> None:
            running[-1].kill()

        return Harness(start, EmbeddedAdapter.capabilities, follows_clock=False, kill=kill)
