"""What Redis itself shows, refuses, drops and moves under the adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from taulu.conformance import ShiftedClock
from taulu.conformance.row_promises import ALL_TYPES
from taulu.conformance.subject import Subject, next_page
from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS, ORDERS, STORAGE, tables_for
from taulu.model import (
    Column,
    ColumnType,
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
    Page,
    Put,
    Reserve,
    Row,
    ScanRows,
    SchemaConflict,
    StorageFull,
    Table,
    TypeName,
    Unavailable,
    Unsupported,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment, Feature
from taulu_redis import RedisAdapter
from taulu_redis._driver import key_slot
from tests.conformance.adapters import direct
from tests.testbed.redis_servers import (
    HOST,
    ClusterSet,
    RedisServer,
    SentinelSet,
    Standalone,
    call,
    wait_until,
)

pytestmark = pytest.mark.xdist_group("redis")

Options = dict[str, object]
_STRING = ColumnType(TypeName.STRING)


@asynccontextmanager
async def opened(
    options: Options, tables: Sequence[Table] | None = None
) -> AsyncGenerator[tuple[RedisAdapter, Subject]]:
    """Open an adapter with the suite's tables, or with others."""
    clock = ShiftedClock()
    adapter = RedisAdapter.create(options, Environment(clock=clock))
    try:
        await adapter.open()
        for table in tables_for(adapter.capabilities) if tables is None else tables:
            await adapter.prepare(table)
        harness = direct(RedisAdapter, options, is_durable=True, capabilities=adapter.capabilities)
        yield adapter, Subject(harness, adapter.execute, clock)
    finally:
        await adapter.close()


@contextmanager
def server_with(folder: Path, **config: str) -> Generator[Standalone]:
    """Run a server that is set up in another way."""
    servers = Standalone(folder, {name.replace("_", "-"): value for name, value in config.items()})
    try:
        yield servers.start()
    finally:
        servers.stop()


def keys_of(server: RedisServer, pattern: str) -> list[str]:
    found = call(server.port, "KEYS", pattern)
    assert isinstance(found, list)
    return sorted(found)


def fields_of(server: RedisServer, key: str) -> dict[str, str]:
    found = call(server.port, "HGETALL", key)
    assert isinstance(found, list)
    return dict(zip(found[::2], found[1::2], strict=True))


async def test_rows_are_read_with_redis_cli(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        texts = {name: value for name, value in ALL_TYPES.items() if name not in {"blob", "point"}}
        written = await subject.put(ITEMS, Key((subject.name("c-42"),)), texts, ttl_s=3_600)
        await subject.put(ORDERS, Key((subject.name("c-42"),), (3, "a")), {"count": -7})
        (row,) = keys_of(redis_alone.server, f"taulu:*:row:{subject.run_id}%2Fc-42")
        fields = fields_of(redis_alone.server, row)
        expires = fields.pop("@expires")
        assert int(expires) > subject.clock.now_us()
        assert fields == {
            "@version": str(written.version),
            "flag": "true",
            "count": "-9223372036854775808",
            "ratio": "-0.1",
            "price": "-12345678901234567890.000100",
            "text": ALL_TYPES["text"],
            "at": "1969-12-31T23:59:59.999999Z",
            "ref": "00112233-4455-6677-8899-aabbccddeeff",
            "tags": '["","b","a","b"]',
            "amounts": '{"":0,"x":9223372036854775807}',
        }
        (rows,) = keys_of(redis_alone.server, f"taulu:*:rows:{subject.run_id}%2Fc-42")
        (body,) = call(redis_alone.server.port, "HVALS", rows)  # type: ignore[misc]
        assert body.split(" ", 2)[1:] == ["-", '{"count":"-7"}']


async def test_all_keys_of_a_unit_are_in_one_hash_slot(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1}, ttl_s=3_600)
        await subject.put(ORDERS, Key(key.partition, (3, "a")), {"count": 1}, ttl_s=3_600)
        await subject.change(BOUNDED, Reserve(key, 1, "hold", 60_000_000, subject.token()))
        await subject.append(EVENTS, subject.name(), {"count": 1})
        tags = {k.partition("}")[0] for k in keys_of(redis_alone.server, "taulu:*")}
        for tag in tags:
            slots = {key_slot(k.encode()) for k in keys_of(redis_alone.server, f"{tag}}}*")}
            assert len(slots) == 1


async def test_redis_drops_by_itself_what_has_expired(redis_alone: Standalone) -> None:
    options = {**redis_alone.options, "reclaim_margin_s": 0}
    async with opened(options) as (_, subject):
        gone, kept = Key((subject.name("gone"),)), Key((subject.name("kept"),))
        await subject.put(ITEMS, gone, {"count": 1}, ttl_s=0.2)
        await subject.put(ITEMS, kept, {"count": 1}, ttl_s=0.2)
        await subject.put(ITEMS, kept, {"count": 2})
        whole, part = (subject.name("whole"),), (subject.name("part"),)
        for name in "ab":
            await subject.put(ORDERS, Key(whole, (1, name)), {"count": 1}, ttl_s=0.2)
        await subject.put(ORDERS, Key(part, (1, "a")), {"count": 1}, ttl_s=0.2)
        await subject.put(ORDERS, Key(part, (1, "b")), {"count": 1})
        mine = f"taulu:*:row*:{subject.run_id}%2F*"
        wait_until("that keys are dropped", lambda: len(keys_of(redis_alone.server, mine)) == 2)
        left = [k.rpartition("%2F")[2] for k in keys_of(redis_alone.server, mine)]
        assert left == ["kept", "part"]
        await subject.scan(ITEMS)
        await subject.scan(ORDERS)
        indexed = [
            name
            for index in keys_of(redis_alone.server, "taulu:*:index")
            for name in call(redis_alone.server.port, "ZRANGE", index, 0, -1)  # type: ignore[attr-defined]
            if name.startswith(subject.run_id)
        ]
        assert sorted(name.rpartition("%2F")[2] for name in indexed) == ["kept", "part"]


async def test_writes_take_along_what_has_expired_in_a_partition(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        owner = subject.name()
        for n in range(10):
            await subject.put(ORDERS, Key((owner,), (n, "")), {"count": n}, ttl_s=1)
        await subject.put(ORDERS, Key((owner,), (99, "")), {"count": 99})
        (rows,) = keys_of(redis_alone.server, f"taulu:*:rows:{subject.run_id}%2F")
        assert call(redis_alone.server.port, "HLEN", rows) == 11
        await subject.pass_time(120)
        await subject.put(ORDERS, Key((owner,), (98, "")), {"count": 98})
        assert call(redis_alone.server.port, "HLEN", rows) == 2


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


def _table(name: str, **options: object) -> Table:
    return Table(
        "options",
        name,
        Kind.KV,
        (Column("id", _STRING),),
        columns=(Column("text", _STRING),),
        storage=STORAGE,
        options=options,
    )


async def test_a_table_without_an_index_cannot_be_scanned(redis_alone: Standalone) -> None:
    table = _table("unscanned", scan=False, buckets=3)
    async with opened(redis_alone.options, [table]) as (adapter, subject):
        assert Feature.SCAN not in adapter.capabilities_of(table).features
        await subject.put(table.full_name, Key(("a",)), {"text": "b"})
        with pytest.raises(Unsupported):
            await subject.scan(table.full_name)
        assert keys_of(redis_alone.server, "taulu:{options.unscanned:*:index*") == []
        for wrong in ({"scan": "no"}, {"buckets": 0}, {"bucket": 1}):
            assert len(adapter.refusals(_table("wrong", **wrong))) == 1


async def test_a_description_that_does_not_fit_is_refused(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options, [_table("shape")]):
        pass
    count = Column("count", ColumnType(TypeName.INT64))
    wider = replace(_table("shape"), columns=(*_table("shape").columns, count))
    async with opened(redis_alone.options, [wider]):
        pass
    other = replace(_table("shape"), columns=(Column("count", _STRING),))
    for wrong in (other, _table("shape", buckets=7), _table("shape", scan=False)):
        with pytest.raises(SchemaConflict):
            async with opened(redis_alone.options, [wrong]):
                pass


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


async def test_levels_that_a_set_up_cannot_give_are_refused(redis_sentinel: SentinelSet) -> None:
    unconfirmed = {**redis_sentinel.options, "quorum_replicas": None}
    adapter = RedisAdapter.create(unconfirmed, Environment())
    log = replace(_table("log"), kind=Kind.LOG, log_partitions=1)
    for table in (_table("rows"), replace(_table("credits"), kind=Kind.COUNTER, columns=()), log):
        reasons = adapter.refusals(table)
        assert len(reasons) == 2, reasons
        weak = replace(table, read_level=Level.EVENTUAL, write_level=Level.EVENTUAL)
        assert adapter.refusals(weak) == []


async def test_reads_within_a_bound_ask_the_replicas_only_when_it_is_over(
    redis_cluster: ClusterSet,
) -> None:
    redis_cluster.wait_whole()
    async with opened(redis_cluster.options) as (_, subject):
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
    async with opened(redis_cluster.options) as (_, subject):
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
        outcomes = await subject.get(ITEMS, *keys)
        assert all(isinstance(outcome, Row) for outcome in outcomes)
        scanned = [row.key for row in await subject.scan(ITEMS) if row.key in set(keys)]
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
        call(source.port, "MIGRATE", HOST, target.port, "", 0, 2_000, "KEYS", *keys)
        time.sleep(0.01)
    for server in (target, source):
        call(server.port, "CLUSTER", "SETSLOT", slot, "NODE", target_id)


async def test_pages_of_a_scan_keep_to_bytes(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        owner = subject.name()
        for n in range(5):
            await subject.put(ORDERS, Key((f"{owner}{n}",), (n, "")), {"text": "x" * 900})
        page: Page | None = Page(1_000, 1_000)
        found: list[Key] = []
        while page is not None:
            got = await subject.run(ScanRows(ORDERS, page))
            mine = [row.key for row in got.rows if str(row.key.partition[0]).startswith(owner)]
            assert len(mine) <= 1
            found += mine
            page = next_page(page, got)
        assert len(found) == len(set(found)) == 5
