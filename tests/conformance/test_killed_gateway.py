"""Durability once more, on gateway processes that are killed for real."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from taulu.conformance import Execute, Harness, ShiftedClock
from taulu.conformance.durability_promises import DurabilityPromises
from taulu.conformance.tables import STORAGE
from taulu.model import Kind, Table
from taulu_embedded import EmbeddedAdapter
from tests.conformance.adapters import remote
from tests.testbed.gateway_process import GatewayProcess


def as_yaml(table: Table) -> str:
    """Write a conformance table as a storage engineer would."""
    columns = (
        *table.partition_key,
        *(clustering.column for clustering in table.clustering_key),
        *table.columns,
    )
    spec: dict[str, object] = {
        "kind": table.kind.value,
        "key": {
            "partition": [column.name for column in table.partition_key],
            "clustering": [
                {c.column.name: "desc" if c.descending else "asc"} for c in table.clustering_key
            ],
        },
        "columns": {column.name: str(column.type) for column in columns},
        "storage": {"adapter": STORAGE},
        "consistency": {"read": "LINEARIZABLE", "write": "LINEARIZABLE"},
    }
    if table.kind is Kind.LOG:
        spec["partitions"] = table.log_partitions
    if table.ttl_us is not None:
        spec["ttl"] = f"{table.ttl_us}us"
    if table.bounds.ceiling is not None:
        spec["bounds"] = {"floor": table.bounds.floor, "ceiling": table.bounds.ceiling}
    if table.limits.partition_rows is not None:
        spec["limits"] = {"partition_rows": table.limits.partition_rows}
    document = {
        "apiVersion": "taulu/v1",
        "kind": "Table",
        "metadata": {"namespace": table.namespace, "name": table.name},
        "spec": spec,
    }
    return yaml.safe_dump(document)


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
