"""Kafka on three brokers, of which one or two are killed, stopped, slowed down or cut off."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from taulu.codec import KeyCodec, log_partition
from taulu.conformance import Execute
from taulu.model import (
    Appended,
    AppendRecords,
    FromOffset,
    Group,
    IdempotencyToken,
    NewRecord,
    ReadLog,
)
from taulu.spi import Context, Environment
from taulu_kafka import KafkaAdapter
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import FaultTables, fault_tables
from tests.faults.workload import Expect, Steps
from tests.testbed.kafka_cluster import Broker, KafkaCluster

pytestmark = pytest.mark.xdist_group("kafka")

TABLES: FaultTables = fault_tables(KafkaAdapter.capabilities).with_options(
    {"replication": 3, "min_insync": 2}
)
assert TABLES.lines is not None
LINES = TABLES.lines
PARTITION = log_partition(KeyCodec(LINES).partition(("key",)), LINES.log_partitions)
SLOW_S = 0.2
RECORDS = 400
BATCH = 10
CALL_S = 2.0
STARTS = 8


@asynccontextmanager
async def opened(cluster: KafkaCluster, prefix: str) -> AsyncGenerator[Execute]:
    """Yield an adapter of a gateway that knows of no other."""
    options = {"servers": cluster.bootstrap, "topic_prefix": prefix}
    adapter = KafkaAdapter.create(options, Environment())
    try:
        await adapter.open()
        for table in TABLES.all():
            assert adapter.refusals(table) == []
            await adapter.prepare(table)
        yield adapter.execute
    finally:
        await adapter.close()


def kill(cluster: KafkaCluster, brokers: Sequence[Broker]) -> None:
    for broker in brokers:
        broker.process.kill()


def pause(cluster: KafkaCluster, brokers: Sequence[Broker]) -> None:
    for broker in brokers:
        broker.process.pause()


def slow(cluster: KafkaCluster, brokers: Sequence[Broker]) -> None:
    for broker in brokers:
        broker.slow(SLOW_S)


def cut(cluster: KafkaCluster, brokers: Sequence[Broker]) -> None:
    cluster.cut(brokers)


@pytest.mark.parametrize("extent", ["one node", "majority"])
@pytest.mark.parametrize("hurt", [kill, pause, slow, cut])
async def test_kafka_keeps_its_promises_under(
    hurt: Callable[[KafkaCluster, Sequence[Broker]], None],
    extent: str,
    kafka_three: KafkaCluster,
    under_fault: UnderFault,
) -> None:
    prefix = f"{uuid.uuid4().hex[:8]}."
    async with opened(kafka_three, prefix) as execute:
        leader = kafka_three.leader(f"{prefix}{LINES.full_name}", 0)
        others = [broker for broker in kafka_three.brokers if broker is not leader]
        victims = [leader] if extent == "one node" else [leader, others[0]]
        serves = extent == "one node" or hurt is slow
        fault = Steps(lambda: hurt(kafka_three, victims), kafka_three.mend)
        cell = Cell("kafka, three brokers", hurt.__name__, extent)
        await under_fault(cell, execute, TABLES, fault=fault, expect=Expect(serves=serves))


async def test_two_gateways_agree_on_every_token_while_a_leader_dies_and_one_starts_anew(
    kafka_three: KafkaCluster,
) -> None:
    """Both send every record at the same moment, and again until it is settled."""
    prefix = f"{uuid.uuid4().hex[:8]}."
    told: dict[int, set[int]] = {n: set() for n in range(RECORDS)}
    tokens = [IdempotencyToken(time.time_ns() // 1_000, uuid.uuid4().hex) for _ in told]

    begun = asyncio.Event()

    async def send(execute: Execute, numbers: Sequence[int]) -> None:
        records = tuple(NewRecord(("key",), {"number": n}, tokens[n]) for n in numbers)
        deadline = time.monotonic() + CALL_S
        results = await execute(AppendRecords(LINES.full_name, records), Context(deadline))
        for n, outcome in zip(numbers, results.outcomes, strict=True):
            if isinstance(outcome, Appended):
                told[n].add(outcome.offset)
                begun.set()
            else:
                assert outcome.error.group in {Group.TRANSIENT, Group.UNCERTAIN}, outcome.error

    async def serve(lives: int) -> None:
        for _ in range(lives):
            async with opened(kafka_three, prefix) as execute:
                for start in range(0, RECORDS, BATCH):
                    await send(execute, range(start, start + BATCH))
        async with opened(kafka_three, prefix) as execute:
            while unsettled := [n for n, offsets in told.items() if not offsets]:
                await send(execute, unsettled[:BATCH])

    async with opened(kafka_three, prefix) as execute:
        leader = kafka_three.leader(f"{prefix}{LINES.full_name}", PARTITION)
        try:
            async with asyncio.timeout(120), asyncio.TaskGroup() as group:
                group.create_task(serve(lives=1))
                group.create_task(serve(lives=2))
                await begun.wait()
                await asyncio.to_thread(leader.process.kill)
        finally:
            await asyncio.to_thread(kafka_three.mend)
        seen = await read_all(execute)
    assert all(len(offsets) == 1 for offsets in told.values())
    assert {n: offsets.pop() for n, offsets in told.items()} == dict(seen)
    assert len(seen) == RECORDS


async def test_gateways_start_while_a_broker_that_has_just_died_is_still_named(
    kafka_three: KafkaCluster,
) -> None:
    """Each asks whichever broker the cluster names, until the dead one is named no longer."""
    prefix = f"{uuid.uuid4().hex[:8]}."
    async with opened(kafka_three, prefix):
        pass

    async def start() -> None:
        async with opened(kafka_three, prefix):
            pass

    try:
        await asyncio.to_thread(kafka_three.brokers[-1].process.kill)
        async with asyncio.TaskGroup() as group:
            for _ in range(STARTS):
                group.create_task(start())
    finally:
        await asyncio.to_thread(kafka_three.mend)


async def read_all(execute: Execute) -> list[tuple[int, int]]:
    """Return number and offset of every record of the partition."""
    found: list[tuple[int, int]] = []
    offset, end = 0, 1
    while offset < end:
        operation = ReadLog(LINES.full_name, PARTITION, FromOffset(offset), 100, 1_000_000)
        page = await execute(operation, Context(time.monotonic() + 20.0))
        found += [(int(str(one.columns["number"])), one.offset) for one in page.records]
        offset, end = page.next_offset, page.end_offset
    return found
