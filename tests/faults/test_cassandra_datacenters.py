"""Two data centres, one of which is lost: what stays local goes on, what spans both waits.

They run the first variant of Paxos, as Cassandra is shipped; the three nodes run the second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from dataclasses import replace
from uuid import uuid4

import pytest

from taulu.model import (
    Absent,
    Consistency,
    Failed,
    GetRows,
    IdempotencyToken,
    Key,
    Level,
    Put,
    SystemClock,
    Table,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
)
from taulu.spi import Context
from taulu_cassandra import CassandraAdapter
from taulu_cassandra._driver import Bound, Native, NotEnoughReplicas
from taulu_cassandra.mapping import DRIVER_ERRORS
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import FaultTables, fault_tables
from tests.faults.test_cassandra_faults import PACE, RECOVERY_S, kill, opened
from tests.faults.workload import Expect
from tests.testbed.cassandra_cluster import CassandraCluster, cassandra_cluster

pytestmark = pytest.mark.xdist_group("cassandra")

_STEPS = 3
_LINEARIZABLE = Consistency(Level.LINEARIZABLE)


@pytest.fixture(scope="module")
def two_datacenters(tmp_path_factory: pytest.TempPathFactory) -> Generator[CassandraCluster]:
    folder = tmp_path_factory.mktemp("cassandra-two")
    with cassandra_cluster(folder, ["dc1", "dc2"], subnet=4, paxos="v1") as cluster:
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


async def test_a_step_that_is_decided_and_not_committed_is_never_told_as_not_written(
    two_datacenters: CassandraCluster,
) -> None:
    """Paxos decides in one data centre; the commit asks for both, and one of them is gone."""
    registers = fault_tables(CassandraAdapter.capabilities).registers
    assert registers is not None
    local = {"serial": "LOCAL_SERIAL", "write": "EACH_QUORUM"}
    tables = FaultTables(registers=replace(registers, options=local))
    clock = SystemClock()
    far = next(node for node in two_datacenters.nodes if node.datacenter == "dc2")
    loss = kill([far])
    options = two_datacenters.options() | {"keyspace_prefix": "decided_"}
    async with opened(options, tables) as adapter:
        loss.inject()
        try:
            await _known_down(adapter, f"decided_{registers.full_name}")
            for number in range(_STEPS):
                key, token = Key((str(number),)), IdempotencyToken(clock.now_us(), uuid4().hex)
                unit = WriteUnit((Put(key, {"number": number}),), token)
                context = Context(clock.monotonic() + PACE.call_s)
                write = WriteRows(registers.full_name, (unit,))
                (told,) = (await adapter.execute(write, context)).outcomes
                if isinstance(told, Failed) and not isinstance(told.error, WriteOutcomeUnknown):
                    read = GetRows(registers.full_name, (key,), consistency=_LINEARIZABLE)
                    context = Context(clock.monotonic() + PACE.call_s)
                    assert (await adapter.execute(read, context)).outcomes == (Absent(),), told
        finally:
            loss.mend()


async def _known_down(adapter: CassandraAdapter, table: str) -> None:
    """Wait until the node that coordinates knows that it does not reach all copies."""
    session = adapter._session
    assert session is not None
    prepared = await asyncio.to_thread(session.prepare, f"SELECT id FROM {table} LIMIT 1")
    give_up = time.monotonic() + RECOVERY_S
    while time.monotonic() < give_up:
        try:
            await session.execute(Bound(prepared, ()), Native.ALL, PACE.call_s)
        except NotEnoughReplicas:
            return
        except DRIVER_ERRORS:
            continue
    raise AssertionError("the loss is not noticed")
