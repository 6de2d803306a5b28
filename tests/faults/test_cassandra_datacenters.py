"""Two data centres, one of which is lost: what stays local goes on, what spans both waits."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest

from taulu.model import Level, Table
from taulu_cassandra import CassandraAdapter
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import FaultTables, fault_tables
from tests.faults.test_cassandra_faults import PACE, RECOVERY_S, kill, opened
from tests.faults.workload import Expect
from tests.testbed.cassandra_cluster import CassandraCluster, cassandra_cluster

pytestmark = pytest.mark.xdist_group("cassandra")


@pytest.fixture(scope="module")
def two_datacenters(tmp_path_factory: pytest.TempPathFactory) -> Generator[CassandraCluster]:
    folder = tmp_path_factory.mktemp("cassandra-two")
    with cassandra_cluster(folder, ["dc1", "dc2"], subnet=4) as cluster:
        yield cluster


def _tables(serial: str) -> FaultTables:
    tables = fault_tables(
        CassandraAdapter.capabilities, notes_read=Level.QUORUM, notes_write=Level.QUORUM
    )

    def by_paxos(table: Table | None) -> Table | None:
        return None if table is None else replace(table, options={"serial": serial})

    return replace(
        tables,
        registers=by_paxos(tables.registers),
        accounts=by_paxos(tables.accounts),
        lines=by_paxos(tables.lines),
    )


@pytest.mark.parametrize("serial", ["LOCAL_SERIAL", "SERIAL"])
async def test_a_data_centre_serves_on_without_the_other(
    serial: str, two_datacenters: CassandraCluster, under_fault: UnderFault
) -> None:
    """Plain writes and LOCAL_SERIAL need a majority of the own one, SERIAL one of both."""
    tables = _tables(serial)
    expect = Expect(serves=serial == "LOCAL_SERIAL", by_part={"notes": True}, recovery_s=RECOVERY_S)
    cell = Cell(f"cassandra, two data centres, {serial}", "kill", "the other data centre")
    far = [node for node in two_datacenters.nodes if node.datacenter == "dc2"]
    options = two_datacenters.options(proxied=True) | {"keyspace_prefix": serial.lower() + "_"}
    async with opened(options, tables) as adapter:
        await under_fault(cell, adapter.execute, tables, fault=kill(far), expect=expect, pace=PACE)
