"""Redis alone, behind Sentinel and in a Cluster, while servers are killed, stopped and cut off.

Writes are at LINEARIZABLE, so on Sentinel and Cluster every one waits for all replicas that may
take over: with any server of its shard gone it is not acknowledged, and nothing is ever lost.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from taulu.conformance import ShiftedClock
from taulu.model import IdempotencyToken, Key, Level, Put, TauluError, WriteRows, WriteUnit, Written
from taulu.spi import Context, Environment
from taulu_redis import RedisAdapter
from tests.faults.calls import Pace
from tests.faults.tables import fault_tables
from tests.faults.workload import Expect, Fault, Steps, run_under_fault
from tests.testbed.proxy import Proxy
from tests.testbed.redis_proxies import behind_proxies
from tests.testbed.redis_servers import (
    ClusterSet,
    RedisServer,
    SentinelSet,
    Standalone,
    call,
    wait_until,
)

pytestmark = pytest.mark.xdist_group("redis")

PACE = Pace(healthy_s=1.0, fault_s=2.5)
SLOW_S = 0.15
Proxies = dict[int, Proxy]
Break = Callable[[Sequence[RedisServer], Proxies], Fault]


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Generator[Standalone]:
    servers = Standalone(tmp_path_factory.mktemp("redis"))
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Generator[SentinelSet]:
    servers = SentinelSet(tmp_path_factory.mktemp("sentinel"))
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[ClusterSet]:
    servers = ClusterSet(tmp_path_factory.mktemp("cluster"))
    try:
        yield servers.start()
    finally:
        servers.stop()


def kill(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: s.running.kill(), lambda s: s.start())


def pause(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: s.running.pause(), lambda s: s.running.resume())


def slow(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: proxies[s.port].slow(SLOW_S), lambda s: proxies[s.port].mend())


def cut(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: proxies[s.port].cut(), lambda s: proxies[s.port].mend())


def _each(
    hit: Sequence[RedisServer],
    inject: Callable[[RedisServer], object],
    mend: Callable[[RedisServer], object],
) -> Fault:
    return Steps(lambda: [inject(s) for s in hit], lambda: [mend(s) for s in hit])


@asynccontextmanager
async def opened(options: dict[str, object]) -> AsyncGenerator[RedisAdapter]:
    adapter = RedisAdapter.create(options, Environment())
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


async def work(
    options: dict[str, object],
    servers: Sequence[RedisServer],
    fault: Break,
    expect: Expect,
    hit: Sequence[RedisServer],
) -> None:
    with behind_proxies(servers) as proxies:
        async with opened(options) as adapter:
            tables = fault_tables(adapter.capabilities)
            for table in tables.all():
                assert adapter.refusals(table) == []
                await adapter.prepare(table)
            await run_under_fault(
                adapter.execute, tables, fault=fault(hit, proxies), expect=expect, pace=PACE
            )


@pytest.mark.parametrize(
    ("fault", "serves"), [(kill, False), (pause, False), (slow, True), (cut, False)]
)
async def test_a_server_alone_keeps_its_promises_under(
    fault: Break, serves: bool, standalone: Standalone
) -> None:
    server = standalone.server
    await work(standalone.options, [server], fault, Expect(serves=serves), [server])


@pytest.mark.parametrize(
    ("fault", "serves"), [(kill, False), (pause, False), (slow, True), (cut, False)]
)
@pytest.mark.parametrize("count", [1, 2])
async def test_a_primary_behind_sentinel_keeps_its_promises_under(
    fault: Break, serves: bool, count: int, sentinel: SentinelSet
) -> None:
    """One server is the primary; a majority is the primary and a replica."""
    sentinel.wait_whole()
    primary = sentinel.primary()
    hit = [primary, *(s for s in sentinel.servers if s is not primary)][:count]
    await work(sentinel.options, sentinel.servers, fault, Expect(serves=serves), hit)


@pytest.mark.parametrize(
    ("fault", "count", "serves"),
    [
        # The keys of the other primaries are served as before.
        (kill, 1, None),
        (pause, 1, None),
        (slow, 1, True),
        (cut, 1, None),
        # Without a majority of primaries there is no failover, and the cluster is down.
        (kill, 2, False),
        (pause, 2, False),
        (slow, 2, True),
        (cut, 2, None),
    ],
)
async def test_a_cluster_keeps_its_promises_under(
    fault: Break, count: int, serves: bool | None, cluster: ClusterSet
) -> None:
    cluster.wait_whole()
    primaries = cluster.primary_servers()
    hit, rest = primaries[:count], primaries[count:]

    def until_down(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
        steps = fault(hit, proxies)

        def inject() -> None:
            steps.inject()
            if serves is False:
                wait_until("that the cluster is down", lambda: _is_down(rest[0]))

        return Steps(inject, steps.mend)

    await work(cluster.options, cluster.servers, until_down, Expect(serves=serves), hit)


def _is_down(server: RedisServer) -> bool:
    return "cluster_state:fail" in str(call(server.port, "CLUSTER", "INFO"))


async def test_writes_that_wait_for_no_replica_go_on_after_a_failover(
    sentinel: SentinelSet,
) -> None:
    sentinel.wait_whole()
    async with opened(sentinel.options) as adapter:
        tables = fault_tables(adapter.capabilities)
        assert tables.notes is not None
        notes = replace(tables.notes, write_level=Level.EVENTUAL, read_level=Level.EVENTUAL)
        await adapter.prepare(notes)
        primary = sentinel.primary()
        primary.running.kill()
        try:
            await _until_written(adapter, notes.full_name)
            assert sentinel.primary() is not primary
        finally:
            primary.start()


async def _until_written(adapter: RedisAdapter, table: str) -> None:
    clock = ShiftedClock()
    give_up = clock.monotonic() + 20
    for n in range(10_000):
        put = Put(Key((f"failover-{n}",)), {"number": n})
        unit = WriteUnit((put,), IdempotencyToken(clock.now_us(), f"failover-{n}"))
        operation = WriteRows(table, (unit,), Level.EVENTUAL)
        try:
            done = await adapter.execute(operation, Context(clock.monotonic() + 1.0))
        except TauluError:
            continue
        if isinstance(done.outcomes[0], Written):
            return
        assert clock.monotonic() < give_up
    raise AssertionError("no write was acknowledged")
