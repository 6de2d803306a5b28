"""Servers that are set up otherwise, full, away, forgetful, busy, or in the middle of a move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS
from taulu.model import (
    ConfigError,
    Consistency,
    Contention,
    Failed,
    GetRows,
    Increment,
    Key,
    Kind,
    Level,
    Overloaded,
    Put,
    Row,
    StorageFull,
    Unavailable,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment, Feature
from taulu_redis import RedisAdapter
from taulu_redis._driver import key_slot
from tests.integration.patience import patiently
from tests.integration.redis_opened import (
    keys_of,
    opened,
    server_with,
    table_of,
)
from tests.testbed.redis_servers import (
    HOST,
    PATIENT,
    SERVICE,
    ClusterSet,
    RedisServer,
    SentinelSet,
    Standalone,
    call,
    info,
    wait_until,
)

pytestmark = pytest.mark.xdist_group("redis")


async def test_a_server_that_forgot_the_scripts_is_taught_again(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1})
        call(redis_alone.server.port, "SCRIPT", "FLUSH")
        units = [WriteUnit((Put(key, {"count": n}),), subject.token()) for n in range(3)]
        outcomes = await subject.write_units(ITEMS, *units)
        assert all(isinstance(outcome, Written) for outcome in outcomes)
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"count": 2}


async def test_a_server_that_is_set_up_otherwise_is_refused(tmp_path: Path) -> None:
    with server_with(tmp_path, appendfsync="everysec", maxmemory_policy="allkeys-lru") as servers:
        with pytest.raises(ConfigError) as refused:
            async with opened(servers.options):
                pass
        assert "appendfsync always" in refused.value.message
        assert "allkeys-lru" in refused.value.message
        weaker = {**servers.options, "durability": "everysec", "allow_eviction": True}
        async with opened(weaker) as (adapter, _):
            assert adapter.capabilities.write_levels == {Level.EVENTUAL}
            assert Feature.WRITE_ORDER not in adapter.capabilities.features
            wrong = await RedisAdapter.create(servers.options, Environment()).examine()
            assert [finding.ok for finding in wrong] == [True, False, False]
            assert all(finding.ok for finding in await adapter.examine())


async def test_a_server_that_dies_while_tables_are_prepared_is_to_be_started(
    tmp_path: Path,
) -> None:
    with server_with(tmp_path) as servers:
        async with opened(servers.options) as (adapter, _):
            servers.server.running.kill()
            with pytest.raises(Unavailable) as refused:
                await adapter.prepare(adapter.tables[ITEMS])
    assert "start it, or mend `nodes`" in refused.value.message
    assert "send" not in refused.value.message


async def test_memory_that_is_full_refuses_writes_and_still_reads(tmp_path: Path) -> None:
    with server_with(tmp_path) as servers:
        async with opened(servers.options) as (_, subject):
            key = Key((subject.name(),))
            await subject.put(ITEMS, key, {"count": 1})
            call(servers.server.port, "CONFIG", "SET", "maxmemory", "1mb")
            with pytest.raises(StorageFull):
                await subject.put(ITEMS, key, {"count": 2})
            with pytest.raises(StorageFull):
                await subject.change(BOUNDED, Increment(key, 1, subject.token()))
            with pytest.raises(StorageFull):
                await subject.append(EVENTS, "a", {"count": 2})
            row = await subject.row(ITEMS, key)
            assert row is not None
            assert dict(row.columns) == {"count": 1}
            call(servers.server.port, "CONFIG", "SET", "maxmemory", "0")
            await subject.put(ITEMS, key, {"count": 3})


async def test_a_password_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    with server_with(tmp_path) as servers:
        call(servers.server.port, "CONFIG", "SET", "requirepass", "open-sesame")
        with pytest.raises((ConfigError, Unavailable)):
            async with opened(servers.options):
                pass
        wrong = {**servers.options, "password": "shut-sesame"}
        with pytest.raises((ConfigError, Unavailable)) as refused:
            async with opened(wrong):
                pass
        assert "sesame" not in repr(refused.value) + refused.value.message
        async with opened({**servers.options, "password": "open-sesame"}) as (_, subject):
            await subject.put(ITEMS, Key((subject.name(),)), {"count": 1})


async def test_a_user_needs_no_more_rights_than_the_readme_says(tmp_path: Path) -> None:
    rights = "+@read +@write +@scripting +config|get +role +wait +asking +cluster|nodes +ping"
    with server_with(tmp_path) as servers:
        words = ["ACL", "SETUSER", "taulu", "on", ">open-sesame", "~taulu:*", "+info"]
        words += rights.split(" ")
        call(servers.server.port, *words)
        login = {"username": "taulu", "password": "open-sesame"}
        async with opened({**servers.options, **login}) as (adapter, subject):
            key = Key((subject.name(),))
            await subject.put(ITEMS, key, {"count": 1})
            await subject.change(BOUNDED, Increment(key, 1, subject.token()))
            await subject.append(EVENTS, subject.name(), {"count": 1})
            assert [row.key for row in await subject.scan(ITEMS)] == [key]
            assert all(finding.ok for finding in await adapter.examine())


async def test_a_server_that_is_not_there_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    with server_with(tmp_path) as servers:
        async with opened(servers.options) as (_, subject):
            key = Key((subject.name(),))
            await subject.put(ITEMS, key, {"count": 1})
            servers.server.running.kill()
            # The first may go out on a connection whose end has not been heard of yet.
            with pytest.raises((Unavailable, WriteOutcomeUnknown)):
                await subject.put(ITEMS, key, {"count": 2})
            with pytest.raises(Unavailable):
                await subject.put(ITEMS, key, {"count": 2})
            with pytest.raises(Unavailable):
                async with opened(servers.options):
                    pass
            findings = await RedisAdapter.create(servers.options, Environment()).examine()
            assert [finding.ok for finding in findings] == [False]
            servers.start()
            await subject.put(ITEMS, key, {"count": 3})


async def test_connections_are_bounded_and_so_is_the_line_before_them(
    redis_alone: Standalone,
) -> None:
    options = {**redis_alone.options, "connections_max": 2, "waiting_max": 3}
    async with opened(options) as (adapter, subject):
        context = Context(subject.clock.monotonic() + 10)
        units = [
            WriteUnit((Put(Key((subject.name(str(n)),)), {"count": n}),), subject.token())
            for n in range(20)
        ]
        done = await asyncio.gather(
            *(adapter.execute(WriteRows(ITEMS, (unit,)), context) for unit in units)
        )
        outcomes = [result.outcomes[0] for result in done]
        refused = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
        assert {type(error) for error in refused} == {Overloaded}
        assert len(refused) < len(units)


async def test_a_quorum_that_a_failover_could_undo_is_refused(
    redis_sentinel: SentinelSet, redis_cluster: ClusterSet
) -> None:
    redis_sentinel.wait_whole()
    redis_cluster.wait_whole()
    for servers, fewer in ((redis_sentinel, 1), (redis_cluster, 0)):
        with pytest.raises(ConfigError) as refused:
            async with opened({**servers.options, "quorum_replicas": fewer}):
                pass
        assert "could choose one without the write" in refused.value.message
        examined = await RedisAdapter.create(servers.options, Environment()).examine()
        assert [finding.what for finding in examined if not finding.ok] == []


async def test_a_replica_that_cannot_take_over_does_not_confirm_for_one_that_can(
    redis_sentinel: SentinelSet,
) -> None:
    redis_sentinel.wait_whole()
    primary = redis_sentinel.primary()
    passive = next(server for server in redis_sentinel.servers if server is not primary)
    with _priority(redis_sentinel, passive, 0):
        # One may take over, and either could answer the one that is waited for.
        with pytest.raises(ConfigError, match="of which 1 may take over"):
            async with opened({**redis_sentinel.options, "quorum_replicas": 1}):
                pass
        async with opened({**redis_sentinel.options, **PATIENT}) as (_, subject):
            await subject.put(ITEMS, Key((subject.name(),)), {"count": 1})


@contextmanager
def _priority(servers: SentinelSet, replica: RedisServer, priority: int) -> Generator[None]:
    """Give a replica a priority in failovers, of which all sentinels know."""

    def is_known(wanted: int) -> bool:
        found = [call(w.port, "SENTINEL", "REPLICAS", SERVICE) for w in servers.watchers]
        facts = [dict(zip(r[::2], r[1::2], strict=True)) for replicas in found for r in replicas]
        own = [f for f in facts if f["port"] == str(replica.port)]
        return [f["slave-priority"] for f in own] == [str(wanted)] * len(servers.watchers)

    def tell(priority: int, look_again_ms: int) -> None:
        call(replica.port, "CONFIG", "SET", "replica-priority", priority)
        for watcher in servers.watchers:
            call(watcher.port, "SENTINEL", "DEBUG", "INFO-PERIOD", look_again_ms)

    tell(priority, 200)
    try:
        wait_until("all sentinels know the priority", lambda: is_known(priority))
        yield
    finally:
        tell(100, 200)
        wait_until("all sentinels know the priority", lambda: is_known(100))
        tell(100, 10_000)


async def test_doctor_says_which_replica_keeps_less_than_its_primary(
    redis_sentinel: SentinelSet, redis_cluster: ClusterSet
) -> None:
    for servers in (redis_sentinel, redis_cluster):
        servers.wait_whole()
        weak = next(s for s in servers.servers if info(s.port)["role"] == "slave")
        call(weak.port, "CONFIG", "SET", "appendfsync", "everysec")
        try:
            examined = await RedisAdapter.create(servers.options, Environment()).examine()
        finally:
            call(weak.port, "CONFIG", "SET", "appendfsync", "always")
        (trouble,) = [finding.what for finding in examined if not finding.ok]
        assert trouble.startswith(f"{weak.address}: durability always needs appendfsync always")


async def test_levels_that_a_set_up_cannot_give_are_refused(redis_sentinel: SentinelSet) -> None:
    unconfirmed = {**redis_sentinel.options, "quorum_replicas": None}
    adapter = RedisAdapter.create(unconfirmed, Environment())
    log = replace(table_of("log"), kind=Kind.LOG, log_partitions=1)
    for table in (
        table_of("rows"),
        replace(table_of("credits"), kind=Kind.COUNTER, columns=()),
        log,
    ):
        reasons = adapter.refusals(table)
        assert len(reasons) == 2, reasons
        weak = replace(table, read_level=Level.EVENTUAL, write_level=Level.EVENTUAL)
        assert adapter.refusals(weak) == []


async def test_reads_within_a_bound_ask_the_replicas_only_when_it_is_over(
    redis_cluster: ClusterSet,
) -> None:
    redis_cluster.wait_whole()
    async with opened({**redis_cluster.options, **PATIENT}) as (_, subject):
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1})
        bound = Consistency(Level.BOUNDED_STALENESS, 60_000_000)
        waits = _waits(redis_cluster)
        reads = [await subject.run(GetRows(ITEMS, (key,), consistency=bound)) for _ in range(3)]
        assert _waits(redis_cluster) == waits
        assert all(read.facts.level is Level.BOUNDED_STALENESS for read in reads)
        await subject.run(GetRows(ITEMS, (key,), consistency=Consistency(Level.QUORUM)))
        assert _waits(redis_cluster) == waits + 1


def _waits(cluster: ClusterSet) -> int:
    """Return how many times replicas were waited for so far."""
    found = [
        str(call(server.port, "INFO", "COMMANDSTATS")).partition("cmdstat_wait:calls=")[2]
        for server in cluster.servers
    ]
    return sum(int(text.partition(",")[0] or 0) for text in found)


async def test_slots_that_move_are_followed(redis_cluster: ClusterSet) -> None:
    redis_cluster.wait_whole()
    async with opened({**redis_cluster.options, **PATIENT}) as (_, subject):
        keys = [Key((subject.name(str(n)),)) for n in range(300)]
        await subject.write_units(
            ITEMS, *(WriteUnit((Put(key, {"count": 0}),), subject.token()) for key in keys)
        )
        source, target = redis_cluster.primary_servers()[:2]
        moved = _one_slot_with_rows(source)
        async with asyncio.TaskGroup() as group:
            moving = group.create_task(
                asyncio.to_thread(_move, redis_cluster, source, target, moved)
            )
            turn = 0
            while not moving.done() or turn < 3:
                turn += 1
                units = [WriteUnit((Put(k, {"count": turn}),), subject.token()) for k in keys]
                outcomes = await subject.write_units(ITEMS, *units)
                errors = [o.error for o in outcomes if isinstance(o, Failed)]
                assert {type(error) for error in errors} <= {Contention, Unavailable}
        # Servers hear of the move one after another, and one that has not says what it knew.
        rows = await patiently(lambda: subject.scan(ITEMS))
        outcomes = await subject.get(ITEMS, *keys)
        assert all(isinstance(outcome, Row) for outcome in outcomes)
        scanned = [row.key for row in rows if row.key in set(keys)]
        assert sorted(scanned, key=str) == sorted(keys, key=str)


def _one_slot_with_rows(server: RedisServer) -> int:
    (row, *_) = [k for k in keys_of(server, "taulu:*:row:*") if "conformance.items" in k]
    return key_slot(row.encode())


def _move(cluster: ClusterSet, source: RedisServer, target: RedisServer, slot: int) -> None:
    """Move a slot as `redis-cli --cluster reshard` does."""
    source_id, target_id = (call(s.port, "CLUSTER", "MYID") for s in (source, target))
    call(target.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    call(source.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    while keys := call(source.port, "CLUSTER", "GETKEYSINSLOT", slot, 5):
        assert isinstance(keys, list)
        call(source.port, "MIGRATE", HOST, target.port, "", 0, 20_000, "KEYS", *keys)
        time.sleep(0.01)
    for server in (target, source):
        call(server.port, "CLUSTER", "SETSLOT", slot, "NODE", target_id)
