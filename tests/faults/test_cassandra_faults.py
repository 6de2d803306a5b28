"""Three Cassandra nodes, and two data centres, while nodes are killed, stopped and cut off.

Registers, accounts and lines go through Paxos; notes are written plainly, at QUORUM or EVENTUAL.
A client reaches every node through a proxy of its own, so that what is slow, silent or cut is the
way to the node; the nodes reach each other, and any of them that is left serves for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest

from taulu.model import (
    IdempotencyToken,
    Key,
    Level,
    Put,
    SystemClock,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from taulu_cassandra import CassandraAdapter
from tests.faults.calls import Pace
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import NAMESPACE, FaultTables, fault_tables
from tests.faults.workload import Expect, Fault, Steps
from tests.integration.patience import patiently
from tests.testbed.cassandra_cluster import CassandraCluster, CassandraNode, cassandra_cluster

pytestmark = pytest.mark.xdist_group("cassandra")

PACE = Pace(healthy_s=2.0, fault_s=3.0)
SLOW_S = 0.15
PACE_SLOW = replace(PACE, call_s=6.0)
"""A write by Paxos is several trips; on a slow way, and a busy machine, each takes its time."""
RECOVERY_S = 60.0
Nodes = Sequence[CassandraNode]
Break = Callable[[Nodes], Fault]


@pytest.fixture(scope="module")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Generator[CassandraCluster]:
    folder = tmp_path_factory.mktemp("cassandra-three")
    with cassandra_cluster(folder, ["dc1"] * 3, subnet=3) as cluster:
        yield cluster


def _each(
    hit: Nodes,
    inject: Callable[[CassandraNode], object],
    mend: Callable[[CassandraNode], object],
) -> Fault:
    return Steps(lambda: [inject(node) for node in hit], lambda: [mend(node) for node in hit])


def kill(hit: Nodes) -> Fault:
    def restart() -> None:
        for node in hit:
            node.process.launch()
        for node in hit:
            node.process.wait_ready()

    return Steps(lambda: [node.process.kill() for node in hit], restart)


def pause(hit: Nodes) -> Fault:
    return _each(hit, lambda n: n.process.pause(), lambda n: n.process.resume())


def slow(hit: Nodes) -> Fault:
    return _each(hit, lambda n: n.proxy.slow(SLOW_S), lambda n: n.proxy.mend())


def silence(hit: Nodes) -> Fault:
    return _each(hit, lambda n: n.proxy.silence(), lambda n: n.proxy.mend())


def cut(hit: Nodes) -> Fault:
    return _each(hit, lambda n: n.proxy.cut(), lambda n: n.proxy.mend())


def repaired(fault: Fault, cluster: CassandraCluster) -> Fault:
    """Let a repair follow the mending, as it must where a write is acknowledged by one copy.

    A node that takes a write alone and dies holds it, and the hints for the others, by itself.
    """

    def mend() -> None:
        fault.mend()
        cluster.repair(NAMESPACE)

    return Steps(fault.inject, mend)


def pace_of(fault: Break) -> Pace:
    return PACE_SLOW if fault is slow else PACE


@asynccontextmanager
async def opened(
    options: dict[str, object], tables: FaultTables, *, pace: Pace = PACE
) -> AsyncGenerator[CassandraAdapter]:
    quick = {"request_timeout_s": pace.call_s / 3, "heartbeat_s": 1.0, "connect_timeout_s": 2.0}
    adapter = CassandraAdapter.create({**options, **quick}, Environment())
    # Nodes that have just started may take longer than such short limits.
    await patiently(adapter.open)
    try:
        for table in tables.all():
            assert adapter.refusals(table) == []
            await patiently(partial(adapter.prepare, table))
        yield adapter
    finally:
        await adapter.close()


async def test_gateways_on_three_nodes_make_one_table_at_once(
    three_nodes: CassandraCluster,
) -> None:
    table = fault_tables(CassandraAdapter.capabilities).registers
    assert table is not None
    nothing = FaultTables()
    options = three_nodes.options() | {"keyspace_prefix": "raced_"}
    async with AsyncExitStack() as stack:
        adapters = [await stack.enter_async_context(opened(options, nothing)) for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            for adapter in adapters:
                group.create_task(adapter.prepare(table))
        clock = SystemClock()
        for adapter in adapters:
            token = IdempotencyToken(clock.now_us(), uuid4().hex)
            unit = WriteUnit((Put(Key(("a",)), {"number": 1}),), token)
            context = Context(clock.monotonic() + 10.0)
            done = await adapter.execute(WriteRows(table.full_name, (unit,)), context)
            assert isinstance(done.outcomes[0], Written)


@pytest.mark.parametrize("fault", [kill, pause, slow, silence, cut])
async def test_three_nodes_serve_on_with_one_under(
    fault: Break, three_nodes: CassandraCluster, under_fault: UnderFault
) -> None:
    tables = fault_tables(
        CassandraAdapter.capabilities, notes_read=Level.QUORUM, notes_write=Level.QUORUM
    )
    cell = Cell("cassandra, three nodes", fault.__name__, "one node")
    expect = Expect(serves=True, recovery_s=RECOVERY_S)
    steps, pace = fault(three_nodes.nodes[1:2]), pace_of(fault)
    async with opened(three_nodes.options(proxied=True), tables, pace=pace) as adapter:
        await under_fault(cell, adapter.execute, tables, fault=steps, expect=expect, pace=pace)


@pytest.mark.parametrize(
    ("fault", "serves", "notes"),
    [
        # The node that is left keeps serving at EVENTUAL, and nothing else.
        (kill, False, Level.EVENTUAL),
        (pause, False, Level.QUORUM),
        # A client that reaches one node still reaches all copies through it.
        (slow, True, Level.QUORUM),
        (silence, True, Level.QUORUM),
        (cut, True, Level.QUORUM),
    ],
)
async def test_three_nodes_keep_their_promises_with_two_under(
    fault: Break,
    serves: bool,
    notes: Level,
    three_nodes: CassandraCluster,
    under_fault: UnderFault,
) -> None:
    tables = fault_tables(CassandraAdapter.capabilities, notes_read=notes, notes_write=notes)
    cell = Cell("cassandra, three nodes", fault.__name__, "majority")
    expect = Expect(serves=serves, recovery_s=RECOVERY_S)
    steps = fault(three_nodes.nodes[1:])
    if notes is Level.EVENTUAL:
        expect = replace(expect, by_part={"notes": True})
        steps = repaired(steps, three_nodes)
    pace = pace_of(fault)
    async with opened(three_nodes.options(proxied=True), tables, pace=pace) as adapter:
        await under_fault(cell, adapter.execute, tables, fault=steps, expect=expect, pace=pace)
