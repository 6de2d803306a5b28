"""Redis alone, behind Sentinel and in a Cluster, while servers are killed, stopped and cut off.

Writes are at LINEARIZABLE, so on Sentinel and Cluster every one waits for all replicas that may
take over: with any server of its shard gone it is not acknowledged, and nothing is ever lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import wraps

import pytest

from taulu.conformance import ShiftedClock
from taulu.model import (
    Consistency,
    Failed,
    GetRows,
    IdempotencyToken,
    Key,
    Level,
    Put,
    Row,
    TauluError,
    Unavailable,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from taulu_redis import RedisAdapter
from tests.faults.calls import Pace
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import fault_tables
from tests.faults.workload import Expect, Fault, Steps
from tests.integration.patience import patiently
from tests.testbed.proxy import Proxy
from tests.testbed.redis_proxies import behind_proxies
from tests.testbed.redis_servers import (
    ClusterSet,
    RedisServer,
    SentinelSet,
    Standalone,
    call,
    calm,
    info,
    wait_until,
)

pytestmark = pytest.mark.xdist_group("redis")

PACE = Pace(healthy_s=1.0)
SLOW_S = 0.15
RECOVERY_S = 120.0
"""A sentinel looks every 10 s for a primary of old that it has to make a replica, and does nothing
for 30 s after its own clock stood still."""
Proxies = dict[int, Proxy]
Break = Callable[[Sequence[RedisServer], Proxies], Fault]


def kill(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: s.running.kill(), lambda s: s.start())


def pause(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: s.running.pause(), lambda s: s.running.resume())


def slow(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: proxies[s.port].slow(SLOW_S), lambda s: proxies[s.port].mend())


def silence(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
    return _each(hit, lambda s: proxies[s.port].silence(), lambda s: proxies[s.port].mend())


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
    await patiently(adapter.open)
    try:
        yield adapter
    finally:
        await adapter.close()


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers, and those of them that are hit."""

    shape: str
    options: dict[str, object]
    servers: Sequence[RedisServer]
    hit: Sequence[RedisServer]
    extent: str = "one node"


Work = Callable[[Ground, Break, Expect], Awaitable[None]]


@pytest.fixture
def work(under_fault: UnderFault) -> Work:
    """Return what runs the workload around a fault."""

    async def run(ground: Ground, fault: Break, expect: Expect) -> None:
        with behind_proxies(ground.servers) as proxies:
            async with opened(ground.options) as adapter:
                tables = fault_tables(adapter.capabilities)
                for table in tables.all():
                    assert adapter.refusals(table) == []
                    await adapter.prepare(table)
                await under_fault(
                    Cell(f"redis, {ground.shape}", fault.__name__, ground.extent),
                    adapter.execute,
                    tables,
                    fault=fault(ground.hit, proxies),
                    expect=expect,
                    pace=PACE,
                )

    return run


@pytest.mark.parametrize(
    ("fault", "serves"),
    [(kill, False), (pause, False), (slow, True), (silence, False), (cut, False)],
)
async def test_a_server_alone_keeps_its_promises_under(
    fault: Break, serves: bool, work: Work, redis_alone: Standalone
) -> None:
    server = redis_alone.server
    ground = Ground("alone", redis_alone.options, [server], [server])
    await work(ground, fault, Expect(serves=serves, recovery_s=RECOVERY_S))


def until(fault: Break, what: str, is_so: Callable[[], bool]) -> Break:
    """Let a fault be in force only when something has come of it."""

    @wraps(fault)
    def break_it(hit: Sequence[RedisServer], proxies: Proxies) -> Fault:
        steps = fault(hit, proxies)

        def inject() -> None:
            steps.inject()
            wait_until(what, is_so)

        return Steps(inject, steps.mend)

    return break_it


@pytest.mark.parametrize(
    ("fault", "serves"),
    [(kill, False), (pause, False), (slow, True), (silence, False), (cut, False)],
)
@pytest.mark.parametrize("extent", ["one node", "majority"])
async def test_a_primary_behind_sentinel_keeps_its_promises_under(
    fault: Break, serves: bool, extent: str, work: Work, redis_sentinel: SentinelSet
) -> None:
    """One node is the primary; a majority is the primary and a replica."""
    # Where only the clients' way to it is hurt, no sentinel is to think otherwise.
    with calm(redis_sentinel) if fault in {silence, cut} else nullcontext():
        redis_sentinel.wait_whole()
        primary = redis_sentinel.primary()
        others = [server for server in redis_sentinel.servers if server is not primary]
        hit = [primary] if extent == "one node" else [primary, others[0]]
        if fault in {kill, pause}:
            fault = until(fault, "a failover", lambda: redis_sentinel.primary() not in hit)
        ground = Ground("sentinel", redis_sentinel.options, redis_sentinel.servers, hit, extent)
        await work(ground, fault, Expect(serves=serves, recovery_s=RECOVERY_S))


async def test_without_one_of_its_replicas_a_primary_confirms_nothing(
    work: Work, redis_sentinel: SentinelSet
) -> None:
    redis_sentinel.wait_whole()
    primary = redis_sentinel.primary()
    hit = [server for server in redis_sentinel.servers if server is not primary][:1]
    servers = redis_sentinel.servers
    ground = Ground("sentinel", redis_sentinel.options, servers, hit, "one replica")
    await work(ground, kill, Expect(serves=False, recovery_s=RECOVERY_S))


@pytest.mark.parametrize(
    ("fault", "serves"),
    # The keys of the other primaries are served as before.
    [(kill, None), (pause, None), (slow, True), (silence, None), (cut, None)],
)
async def test_a_cluster_keeps_its_promises_with_one_primary_under(
    fault: Break, serves: bool | None, work: Work, redis_cluster: ClusterSet
) -> None:
    redis_cluster.wait_whole()
    hit = redis_cluster.primary_servers()[:1]
    if fault in {kill, pause}:
        fault = until(fault, "a failover", lambda: len(_primaries_without(hit, redis_cluster)) == 3)
    ground = Ground("cluster", redis_cluster.options, redis_cluster.servers, hit)
    await work(ground, fault, Expect(serves=serves, recovery_s=RECOVERY_S))


def _primaries_without(hit: Sequence[RedisServer], cluster: ClusterSet) -> list[RedisServer]:
    left = [server for server in cluster.servers if server not in hit]
    return [server for server in left if info(server.port)["role"] == "master"]


@pytest.mark.parametrize(
    ("fault", "serves"),
    # Without a majority of primaries there is no failover, and the cluster is down.
    [(kill, False), (pause, False), (slow, True), (silence, None), (cut, None)],
)
async def test_a_cluster_keeps_its_promises_with_a_majority_under(
    fault: Break, serves: bool | None, work: Work, redis_cluster: ClusterSet
) -> None:
    redis_cluster.wait_whole()
    *hit, rest = redis_cluster.primary_servers()
    if fault in {kill, pause}:
        fault = until(fault, "that the cluster is down", lambda: _is_down(rest))
    ground = Ground("cluster", redis_cluster.options, redis_cluster.servers, hit, "majority")
    await work(ground, fault, Expect(serves=serves, recovery_s=RECOVERY_S))


def _is_down(server: RedisServer) -> bool:
    return "cluster_state:fail" in str(call(server.port, "CLUSTER", "INFO"))


async def test_a_deposed_primary_confirms_nothing(redis_sentinel: SentinelSet) -> None:
    """It comes back, still thinks that it is primary, and nobody tells it otherwise."""
    redis_sentinel.wait_whole()
    async with opened(redis_sentinel.options) as adapter:
        tables = fault_tables(adapter.capabilities)
        assert tables.notes is not None
        await adapter.prepare(tables.notes)
        name = tables.notes.full_name
        assert isinstance(await _write(adapter, name, "deposed", 1, Level.QUORUM), Written)
        deposed = redis_sentinel.primary()
        deposed.running.pause()
        try:
            wait_until("a failover", lambda: redis_sentinel.primary() is not deposed)
            for watcher in redis_sentinel.watchers:
                watcher.running.kill()
            deposed.running.resume()
            assert info(deposed.port)["role"] == "master"
            weak, strong = [await _read(adapter, name, level) for level in _WEAK_AND_STRONG]
            assert isinstance(weak, Row)
            assert isinstance(strong, Unavailable)
            unknown = await _write(adapter, name, "resent", 2, Level.QUORUM)
            assert isinstance(unknown, WriteOutcomeUnknown)
        finally:
            for watcher in redis_sentinel.watchers:
                watcher.start()
        await _until_written(adapter, name, "resent", Level.QUORUM)


_WEAK_AND_STRONG = (Level.EVENTUAL, Level.LINEARIZABLE)


async def test_writes_that_wait_for_no_replica_go_on_after_a_failover(
    redis_sentinel: SentinelSet,
) -> None:
    redis_sentinel.wait_whole()
    async with opened(redis_sentinel.options) as adapter:
        tables = fault_tables(adapter.capabilities)
        assert tables.notes is not None
        await adapter.prepare(tables.notes)
        primary = redis_sentinel.primary()
        primary.running.kill()
        try:
            await _until_written(adapter, tables.notes.full_name, "failover", Level.EVENTUAL)
            wait_until("a failover", lambda: redis_sentinel.primary() is not primary)
        finally:
            primary.start()


async def _write(
    adapter: RedisAdapter, table: str, name: str, number: int, level: Level
) -> Written | TauluError:
    """Write a row, with the same token every time."""
    clock = ShiftedClock()
    token = IdempotencyToken(clock.now_us(), f"token-of-{name}")
    unit = WriteUnit((Put(Key((name,)), {"number": number}),), token)
    done = await adapter.execute(WriteRows(table, (unit,), level), Context(clock.monotonic() + 2.0))
    (outcome,) = done.outcomes
    return outcome if isinstance(outcome, Written) else outcome.error


async def _read(adapter: RedisAdapter, table: str, level: Level) -> object:
    operation = GetRows(table, (Key(("deposed",)),), consistency=Consistency(level))
    done = await adapter.execute(operation, Context(ShiftedClock().monotonic() + 2.0))
    (outcome,) = done.outcomes
    return outcome.error if isinstance(outcome, Failed) else outcome


async def _until_written(adapter: RedisAdapter, table: str, name: str, level: Level) -> None:
    clock = ShiftedClock()
    give_up = clock.monotonic() + RECOVERY_S
    while clock.monotonic() < give_up:
        if isinstance(await _write(adapter, table, name, 2, level), Written):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no write was acknowledged")
