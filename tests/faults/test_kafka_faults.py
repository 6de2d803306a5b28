"""Kafka on three brokers, of which one or two are killed, stopped, slowed down or cut off."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from taulu.conformance import Execute
from taulu.spi import Environment
from taulu_kafka import KafkaAdapter
from tests.faults.tables import FaultTables, fault_tables
from tests.faults.workload import Expect, Steps, run_under_fault
from tests.testbed.kafka_cluster import Broker, KafkaCluster, kafka_cluster

pytestmark = pytest.mark.xdist_group("kafka")

TABLES: FaultTables = fault_tables(KafkaAdapter.capabilities).with_options(
    {"replication": 3, "min_insync": 2}
)
SLOW_S = 0.2


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with kafka_cluster(tmp_path_factory.mktemp("kafka3"), 3) as running:
        yield running


@asynccontextmanager
async def opened(cluster: KafkaCluster) -> AsyncGenerator[tuple[Execute, str]]:
    """Yield an adapter with topics of its own, and their prefix."""
    prefix = f"{uuid.uuid4().hex[:8]}."
    options = {"servers": cluster.bootstrap, "topic_prefix": prefix}
    adapter = KafkaAdapter.create(options, Environment())
    try:
        await adapter.open()
        for table in TABLES.all():
            assert adapter.refusals(table) == []
            await adapter.prepare(table)
        yield adapter.execute, prefix
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
    three: KafkaCluster,
) -> None:
    async with opened(three) as (execute, prefix):
        assert TABLES.lines is not None
        leader = three.leader(f"{prefix}{TABLES.lines.full_name}", 0)
        others = [broker for broker in three.brokers if broker is not leader]
        victims = [leader] if extent == "one node" else [leader, others[0]]
        serves = extent == "one node" or hurt is slow
        fault = Steps(lambda: hurt(three, victims), three.mend)
        await run_under_fault(execute, TABLES, fault=fault, expect=Expect(serves=serves))
