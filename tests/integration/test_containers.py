"""Each adapter on the image that its store is published as, killed and started again.

Testcontainers starts the official images where a registry or they themselves can be had, and
stand-ins under the same names elsewhere (tests/testbed/images.py); the tests are the same.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from testcontainers.community.cassandra import CassandraContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from taulu.conformance import ShiftedClock
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS, LOG_PARTITIONS, ORDERS, tables_for
from taulu.model import Increment, Key, Kind, LogRecord, TauluError
from taulu.spi import Adapter, Environment
from taulu_cassandra import CassandraAdapter
from taulu_kafka import KafkaAdapter
from taulu_postgres import PostgresAdapter
from taulu_redis import RedisAdapter
from tests.conformance.adapters import direct
from tests.integration.patience import patiently
from tests.testbed import images
from tests.testbed.docker_engine import Engine
from tests.testbed.server_process import free_port

# The first test may have to wait for the engine and the images.
pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(1_200)]

HOST = "127.0.0.1"
SYNCED_FIRST = (
    "-Dcassandra.config.allow_system_properties=true "
    "-Dcassandra.settings.commitlog_sync=batch -Dcassandra.settings.commitlog_sync_period=0ms"
)
"""Says to Cassandra's image, whose file cannot be changed by variables, what the file would say."""
READY_S_MAX = 240.0
_REST_S = 0.5


@pytest.fixture(scope="module")
def network(docker_engine: Engine) -> Generator[Network]:
    with Network() as network:
        yield network


@dataclass(frozen=True, slots=True)
class Store:
    """A container, and how an adapter reaches it."""

    container: DockerContainer
    adapter: type[Adapter]
    options: Mapping[str, object]

    @property
    def kinds(self) -> frozenset[Kind]:
        return self.adapter.create(self.options, Environment()).capabilities.kinds

    def kill_and_start_again(self) -> None:
        """End everything in the container with SIGKILL, and start it on what it kept."""
        wrapped = self.container.get_wrapped_container()
        wrapped.kill()
        assert wrapped.wait()["StatusCode"] == 137
        wrapped.start()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Subject]:
        """Open an adapter as soon as the server serves."""
        capabilities = self.adapter.create(self.options, Environment()).capabilities
        harness = direct(self.adapter, self.options, is_durable=True, capabilities=capabilities)
        wanted = {ITEMS, ORDERS, BOUNDED, EVENTS}
        tables = [table for table in tables_for(capabilities) if table.full_name in wanted]
        clock = ShiftedClock()
        give_up = time.monotonic() + READY_S_MAX
        async with AsyncExitStack() as stack:
            while True:
                try:
                    execute = await stack.enter_async_context(harness.start(tables, clock))
                    break
                except TauluError:
                    if time.monotonic() > give_up:
                        raise
                await asyncio.sleep(_REST_S)
            yield Subject(harness, execute, clock)


def published(container: DockerContainer, port: int) -> int:
    """Publish a port on loopback, where it stays when the container is started again."""
    outside = free_port()
    container.ports[str(port)] = (HOST, outside)
    return outside


async def write(subject: Subject, kinds: frozenset[Kind], name: str) -> None:
    """Write to one table of each kind, and wait until all is acknowledged."""
    if Kind.KV in kinds:
        await subject.put(ITEMS, Key((name,)), {"count": 7, "text": "seven", "tags": ["a", "b"]})
    if Kind.WIDE in kinds:
        for day in (1, 2):
            await subject.put(ORDERS, Key((name,), (day, "x")), {"count": day})
    if Kind.COUNTER in kinds:
        await subject.change(BOUNDED, Increment(Key((name,)), 30, subject.token()))
    if Kind.LOG in kinds:
        for count in range(3):
            await subject.append(EVENTS, name, {"count": count})


async def read_back(subject: Subject, kinds: frozenset[Kind], name: str) -> None:
    """Find what `write` wrote, all of it and once."""
    if Kind.KV in kinds:
        row = await subject.row(ITEMS, Key((name,)))
        assert row is not None
        assert row.columns == {"count": 7, "text": "seven", "tags": ["a", "b"]}
    if Kind.WIDE in kinds:
        rows = await subject.query(ORDERS, (name,))
        assert [(row.key.clustering, dict(row.columns)) for row in rows] == [
            ((2, "x"), {"count": 2}),
            ((1, "x"), {"count": 1}),
        ]
    if Kind.COUNTER in kinds:
        assert (await subject.counter(BOUNDED, Key((name,)))).value == 30
    if Kind.LOG in kinds:
        records: list[LogRecord] = []
        for partition in range(LOG_PARTITIONS):
            records += (await subject.read_log(EVENTS, partition)).records
        found = [record.columns["count"] for record in records if record.key == (name,)]
        assert found == [0, 1, 2]


async def check(store: Store, kinds: set[Kind]) -> None:
    """Write, read back, kill the server, and read back what it had acknowledged.

    The last writes are acknowledged just before the kill: some servers write to disk later.
    """
    assert store.kinds == kinds
    async with store.opened() as subject:
        names = [subject.name("early"), subject.name("late")]
        await write(subject, store.kinds, names[0])
        await read_back(subject, store.kinds, names[0])
        await write(subject, store.kinds, names[1])
        store.kill_and_start_again()
    async with store.opened() as subject:
        for name in names:
            await patiently(functools.partial(read_back, subject, store.kinds, name), READY_S_MAX)
        await write(subject, store.kinds, subject.name("after"))


async def test_redis_keeps_what_it_acknowledged(docker_engine: Engine, network: Network) -> None:
    images.provide(docker_engine, images.REDIS)
    container = RedisContainer(images.REDIS, network=network)
    container.with_command("redis-server --appendonly yes --appendfsync always --save ''")
    port = published(container, 6379)
    with container:
        store = Store(container, RedisAdapter, {"nodes": [f"{HOST}:{port}"]})
        await check(store, {Kind.KV, Kind.WIDE, Kind.COUNTER, Kind.LOG})


async def test_postgres_keeps_what_it_acknowledged(docker_engine: Engine, network: Network) -> None:
    images.provide(docker_engine, images.POSTGRES)
    user, password, database = "taulu", "not a secret: loopback only", "taulu"
    container = PostgresContainer(
        images.POSTGRES, username=user, password=password, dbname=database, network=network
    )
    options = {"host": HOST, "port": published(container, 5432), "database": database}
    with container:
        store = Store(container, PostgresAdapter, {**options, "user": user, "password": password})
        await check(store, {Kind.KV, Kind.WIDE, Kind.COUNTER, Kind.LOG})


async def test_kafka_keeps_what_it_acknowledged(docker_engine: Engine, network: Network) -> None:
    images.provide(docker_engine, images.KAFKA)
    container = DockerContainer(images.KAFKA, network=network)
    port = published(container, 9092)
    container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_LISTENERS="PLAINTEXT://:9092,CONTROLLER://:9093",
        KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{HOST}:{port}",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_HEAP_OPTS="-Xmx320m",
    )
    with container:
        await check(Store(container, KafkaAdapter, {"servers": f"{HOST}:{port}"}), {Kind.LOG})


async def test_cassandra_keeps_what_it_acknowledged(
    docker_engine: Engine, network: Network
) -> None:
    images.provide(docker_engine, images.CASSANDRA)
    container = CassandraContainer(images.CASSANDRA, network=network)
    # What it tells clients about itself holds outside of the container.
    container.with_envs(CASSANDRA_BROADCAST_RPC_ADDRESS=HOST, MAX_HEAP_SIZE="512M")
    # One node has no other copy to fall back on.
    container.with_env("JVM_EXTRA_OPTS", SYNCED_FIRST)
    # Testcontainers gives the node one token; it would not start again if it were to have more.
    container.with_env("CASSANDRA_NUM_TOKENS", "1")
    port = published(container, 9042)
    with container:
        datacenter = container.get_local_datacenter()
        options = {"contact_points": [HOST], "port": port, "local_dc": datacenter}
        store = Store(container, CassandraAdapter, {**options, "replication": {datacenter: 1}})
        await check(store, {Kind.KV, Kind.WIDE, Kind.COUNTER, Kind.LOG})
