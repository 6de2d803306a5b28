"""The cache in front of a store that the test holds up and lets go; the clock is driven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest

from taulu.cache import CacheOptions, CacheRoom
from taulu.gateway.caches import make_caching, open_room
from taulu.model import (
    Absent,
    CachePolicy,
    Column,
    ColumnType,
    ConditionFailed,
    Consistency,
    Delete,
    Facts,
    Failed,
    GetRows,
    IdempotencyToken,
    Key,
    Kind,
    Level,
    Page,
    Put,
    QueryRows,
    Row,
    RowPage,
    RowReads,
    Source,
    Table,
    TypeName,
    Unavailable,
    Unsupported,
    Update,
    WriteOutcomeUnknown,
    WriteResults,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from taulu_memory import MemoryAdapter, MemorySharedCache
from tests.unit.policy.parts import ORDERS, DrivenClock

USERS = Table(
    "shop",
    "users",
    Kind.KV,
    (Column("id", ColumnType(TypeName.STRING)),),
    (),
    (Column("email", ColumnType(TypeName.STRING)), Column("name", ColumnType(TypeName.STRING))),
)
NEAR = CachePolicy(("near",), ttl_us=60_000_000, negative_ttl_us=10_000_000, jitter=0.0)
EVENTUAL, SESSION = Consistency(Level.EVENTUAL), Consistency(Level.SESSION)
KEY = Key(("ada",))
BEGAN_US = 1_000_000_000


@dataclass
class Store:
    """A store that answers when it is let: the next handler."""

    clock: DrivenClock
    rows: dict[Key, Row] = field(default_factory=dict)
    reads: list[Any] = field(default_factory=list)
    fails: Exception | None = None
    held: asyncio.Event | None = None
    """What reads wait for after they have seen their rows."""
    writes_held: asyncio.Event | None = None

    async def __call__(self, operation: Any, context: Context) -> Any:
        match operation:
            case GetRows(keys=keys):
                self.reads.append(operation)
                found = tuple(self.rows.get(key, Absent()) for key in keys)
                await self._wait(self.held)
                return RowReads(found, self._facts())
            case QueryRows(partition=partition):
                self.reads.append(operation)
                rows = tuple(row for key, row in self.rows.items() if key.partition == partition)
                await self._wait(self.held)
                return RowPage(rows, self._facts(), next_token="more")
            case WriteRows(units=units):
                outcomes = tuple(self._apply(unit) for unit in units)
                await self._wait(self.writes_held)
                return WriteResults(outcomes, self._facts())
            case _:
                raise AssertionError(operation)

    async def _wait(self, event: asyncio.Event | None) -> None:
        if event is not None:
            await event.wait()
        if self.fails is not None:
            raise self.fails

    def _apply(self, unit: WriteUnit) -> Written | Failed:
        if unit.conditions:
            return Failed(ConditionFailed("no"))
        version = self.clock.now_us()
        for mutation in unit.mutations:
            match mutation:
                case Put(key=key, columns=columns):
                    self.rows[key] = Row(key, dict(columns), version)
                case Update(key=key, columns=columns):
                    before = self.rows[key].columns if key in self.rows else {}
                    self.rows[key] = Row(key, {**before, **columns}, version)
                case Delete(key=key):
                    self.rows.pop(key, None)
                case _:
                    raise AssertionError(mutation)
        return Written(version)

    def _facts(self) -> Facts:
        versions = [row.version for row in self.rows.values()]
        return Facts(Level.QUORUM, max(versions, default=0), self.clock.now_us())


@dataclass
class Subject:
    """A table with its cache."""

    clock: DrivenClock
    store: Store
    room: CacheRoom
    run: Callable[..., Awaitable[Any]]
    stats: Any

    def pass_s(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.clock.wall_us += int(seconds * 1e6)

    async def get(
        self, *keys: Key, consistency: Consistency = EVENTUAL, columns: tuple[str, ...] = ()
    ) -> RowReads:
        operation = GetRows(USERS.full_name, keys or (KEY,), columns, consistency)
        return await self.run(operation, Context(self.clock.seconds + 5))

    async def put(self, name: str, key: Key = KEY, **more: Any) -> WriteResults:
        return await self.write(Put(key, {"name": name}, **more))

    async def write(self, *mutations: Any, conditions: tuple[Any, ...] = ()) -> WriteResults:
        token = IdempotencyToken(0, f"nonce-{self.clock.seconds}")
        operation = WriteRows(USERS.full_name, (WriteUnit(mutations, token, conditions),))
        return await self.run(operation, Context(self.clock.seconds + 5))


@asynccontextmanager
async def cached(
    policy: CachePolicy = NEAR,
    table: Table = USERS,
    *,
    store: Store | None = None,
    shared: MemorySharedCache | None = None,
    clock: DrivenClock | None = None,
) -> AsyncGenerator[Subject]:
    clock = clock or DrivenClock(BEGAN_US, 1_000.0)
    store = store or Store(clock)
    environment = Environment(clock=clock, server_id=uuid4().hex)
    adapter = MemoryAdapter.create({}, environment)
    if shared is not None:
        # As if the store were on a network, where other gateways write to it too.
        adapter.is_host_bound = False  # type: ignore[misc]
        adapter.shared_cache = lambda: shared  # type: ignore[method-assign]
    options = CacheOptions(shared="there" if shared else "", beat_s=1_000.0)
    async with open_room(options, adapter if shared else None, environment, is_needed=True) as room:
        assert room is not None
        caching = make_caching(table, policy, adapter, room, store).caching
        yield Subject(clock, store, room, caching, caching.cache.stats)


def name_of(got: RowReads, at: int = 0) -> object:
    row = got.outcomes[at]
    assert isinstance(row, Row), row
    return row.columns["name"]


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_row_is_read_from_the_store_once_and_the_reply_says_where_it_came_from() -> None:
    async with cached() as it:
        await it.put("Ada")
        first, second = await it.get(), await it.get()
        assert name_of(first) == name_of(second) == "Ada"
        assert len(it.store.reads) == 1
        assert first.facts.source is Source.PRIMARY
        assert first.facts.level is Level.QUORUM
        it.pass_s(3.0)
        third = await it.get()
        assert third.facts.source is Source.NEAR_CACHE
        assert third.facts.level is Level.EVENTUAL
        assert third.facts.as_of_us == BEGAN_US
        assert third.facts.version == first.facts.version


async def test_a_batch_asks_the_store_once_for_what_is_missing_and_keeps_the_order() -> None:
    async with cached() as it:
        keys = [Key((name,)) for name in ("a", "b", "c", "b", "missing")]
        for key in keys[:3]:
            await it.put(str(key.partition[0]), key)
        await it.get(keys[0])
        got = await it.get(*keys)
        assert [name_of(got, at) for at in range(4)] == ["a", "b", "c", "b"]
        assert got.outcomes[4] == Absent()
        assert it.store.reads[-1].keys == (keys[1], keys[2], keys[4])
        assert got.facts.source is Source.NEAR_CACHE


@pytest.mark.parametrize("level", [Level.QUORUM, Level.LINEARIZABLE])
async def test_strong_reads_pass_the_cache_by(level: Level) -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        it.store.rows[KEY] = replace(it.store.rows[KEY], columns={"name": "Eve"})
        assert name_of(await it.get(consistency=Consistency(level))) == "Eve"
        assert it.store.reads[-1].consistency.level is level
        assert it.stats.passes == 1


async def test_five_hundred_cold_readers_make_one_load() -> None:
    async with cached() as it:
        await it.put("Ada")
        it.store.held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(it.get()) for _ in range(500)]
            await settle()
            it.store.held.set()
        assert {name_of(reader.result()) for reader in readers} == {"Ada"}
        assert len(it.store.reads) == 1
        assert it.stats.loads == 1
        assert it.stats.joins == 499


async def test_absence_is_remembered_for_its_own_time_and_a_write_ends_it() -> None:
    async with cached() as it:
        for _ in range(3):
            assert (await it.get()).outcomes == (Absent(),)
        assert len(it.store.reads) == 1
        it.pass_s(10.1)
        await it.get()
        assert len(it.store.reads) == 2
        await it.put("Ada")
        assert name_of(await it.get()) == "Ada"


async def test_absence_is_not_remembered_where_the_table_does_not_say_so() -> None:
    async with cached(replace(NEAR, negative_ttl_us=0)) as it:
        await it.get()
        await it.get()
        assert len(it.store.reads) == 2


async def test_a_write_is_seen_at_once_by_every_reader_of_the_worker() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        await it.put("Eve")
        assert name_of(await it.get()) == "Eve"
        await it.write(Update(KEY, {"email": "e"}))
        assert (await it.get()).outcomes[0].columns == {"name": "Eve", "email": "e"}  # type: ignore[union-attr]
        await it.write(Delete(KEY))
        assert (await it.get()).outcomes == (Absent(),)


async def test_a_slow_reader_does_not_bring_back_what_a_write_has_replaced() -> None:
    async with cached() as it:
        await it.put("Ada")
        it.store.held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(it.get())
            await settle()
            held, it.store.held = it.store.held, None
            await it.put("Eve")
            assert name_of(await it.get()) == "Eve"
            held.set()
        assert name_of(slow.result()) == "Ada"
        assert name_of(await it.get()) == "Eve"
        assert it.stats.fenced == 1


async def test_a_write_of_unknown_fate_takes_the_copy_away_too() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        it.store.fails = WriteOutcomeUnknown("who knows")
        with pytest.raises(WriteOutcomeUnknown):
            await it.put("Eve")
        it.store.fails = None
        assert name_of(await it.get()) == "Eve"


async def test_a_write_that_is_cut_off_takes_the_copy_away_too() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        it.store.writes_held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            write = group.create_task(it.put("Eve"))
            await settle()
            write.cancel()
        assert name_of(await it.get()) == "Eve"


async def test_a_write_that_certainly_did_nothing_leaves_the_copy() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        await it.write(Put(KEY, {"name": "Eve"}), conditions=("refused",))
        assert (await it.get()).facts.source is Source.NEAR_CACHE


async def test_writes_that_a_cache_might_not_see_are_refused() -> None:
    async with cached() as it:
        unit = WriteUnit((Put(KEY, {}),), IdempotencyToken(0, "nonce-1"))
        with pytest.raises(Unsupported, match=r"shop\.users is cached"):
            await it.run(WriteRows(USERS.full_name, (unit,), Level.EVENTUAL), Context(2_000.0))


async def test_a_session_sees_its_own_write_and_then_the_cache_again() -> None:
    async with cached() as it:
        written = await it.put("Ada")
        seen = written.facts
        session = Consistency(
            Level.SESSION, session_version=seen.version, session_us=seen.session_us
        )
        assert name_of(await it.get(consistency=session)) == "Ada"
        assert (await it.get(consistency=session)).facts.source is Source.NEAR_CACHE
        other = Key(("other",))
        await it.get(other)
        # Read before the session's write by less than the clocks may differ: not good enough.
        reads = len(it.store.reads)
        await it.get(other, consistency=session)
        assert len(it.store.reads) == reads + 1


async def test_a_session_is_served_no_entry_from_before_its_write() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        it.pass_s(1.0)
        session = Consistency(
            Level.SESSION,
            session_version=it.clock.now_us(),
            session_us=it.clock.now_us(),
        )
        # The write of another gateway, whose news was lost.
        it.store.rows[KEY] = Row(KEY, {"name": "Eve"}, it.clock.now_us())
        assert name_of(await it.get()) == "Ada"
        assert name_of(await it.get(consistency=session)) == "Eve"


async def test_bounded_reads_get_nothing_older_than_they_asked_for() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        it.pass_s(2.0)
        bounded = Consistency(Level.BOUNDED_STALENESS, staleness_us_max=1_000_000)
        await it.get(consistency=bounded)
        assert len(it.store.reads) == 2


async def test_columns_are_cached_whole_and_handed_out_as_asked() -> None:
    async with cached() as it:
        await it.write(Put(KEY, {"name": "Ada", "email": "a"}))
        got = await it.get(columns=("email",))
        assert got.outcomes[0].columns == {"email": "a"}  # type: ignore[union-attr]
        assert name_of(await it.get(columns=("name",))) == "Ada"
        assert len(it.store.reads) == 1


async def test_only_the_columns_that_may_be_cached_are() -> None:
    async with cached(replace(NEAR, columns=("name",))) as it:
        await it.write(Put(KEY, {"name": "Ada", "email": "a"}))
        for _ in range(2):
            await it.get(columns=("name",))
            await it.get(columns=("email",))
            await it.get()
        assert [read.columns for read in it.store.reads] == [
            ("name",), ("email",), (), ("email",), (),
        ]  # fmt: skip


async def test_hot_entries_are_loaded_anew_before_their_end_and_nobody_waits() -> None:
    async with cached() as it:
        await it.put("Ada")
        await it.get()
        it.pass_s(59.96)
        it.store.held = asyncio.Event()
        for _ in range(1_900):
            assert (await it.get()).facts.source is Source.NEAR_CACHE
            it.pass_s(0.00002)
        assert it.stats.refreshes == 1
        it.store.held.set()
        await settle()
        assert (await it.get()).facts.as_of_us > BEGAN_US


async def test_an_old_copy_is_served_on_error_only_where_allowed_and_is_marked() -> None:
    for may in (False, True):
        async with cached(replace(NEAR, serve_stale_on_error=may, ttl_us=60_000_000)) as it:
            it.room.local_channel = _deaf(it)
            await it.put("Ada")
            await it.get()
            it.pass_s(10.0)
            it.store.fails = Unavailable("down")
            got = await it.get()
            session = await it.get(consistency=SESSION)
            assert isinstance(session.outcomes[0], Failed)
            if may:
                assert name_of(got) == "Ada"
                assert got.facts.is_stale
                assert it.stats.stale == 1
                it.pass_s(51.0)
                got = await it.get()
            assert isinstance(got.outcomes[0], Failed)
            assert not got.facts.is_stale


def _deaf(it: Subject) -> Any:
    """Return a channel that hears nothing, so that nothing is vouched for."""
    from taulu.cache.channel import Channel, ChannelOptions  # noqa: PLC0415 - used here alone

    carrier = MemorySharedCache(it.clock).carrier
    return Channel("me", 1, carrier, it.clock, ChannelOptions(1, 0, 600), it.room.on_news)


async def test_what_is_written_whole_fills_the_cache_of_its_writer() -> None:
    async with cached(replace(NEAR, is_write_through=True)) as it:
        await it.put("Ada")
        got = await it.get()
        assert name_of(got) == "Ada"
        assert got.facts.source is Source.NEAR_CACHE
        assert it.store.reads == []
        await it.write(Update(KEY, {"email": "a"}))
        await it.get()
        assert len(it.store.reads) == 1
        await it.put("Eve", ttl_us=1_000_000)
        await it.get()
        assert len(it.store.reads) == 2


async def test_two_writers_at_once_leave_neither_of_their_rows_in_the_cache() -> None:
    async with cached(replace(NEAR, is_write_through=True)) as it:
        it.store.writes_held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(it.put("Ada"))
            group.create_task(it.put("Eve"))
            await settle()
            it.store.writes_held.set()
        assert name_of(await it.get()) == it.store.rows[KEY].columns["name"]
        assert len(it.store.reads) == 1


async def test_first_pages_of_queries_are_cached_and_go_with_any_write_of_the_partition() -> None:
    policy = replace(NEAR, has_queries=True)
    async with cached(policy, ORDERS) as it:
        key = Key(("ada",), (1,))
        it.store.rows[key] = Row(key, {"paid": True}, 7)
        query = QueryRows(ORDERS.full_name, ("ada",), Page(10, 1_000), consistency=EVENTUAL)
        context = Context(2_000.0)
        first, second = await it.run(query, context), await it.run(query, context)
        assert first.rows == second.rows == (it.store.rows[key],)
        assert second.next_token == "more"
        assert second.facts.source is Source.NEAR_CACHE
        assert len(it.store.reads) == 1
        await it.run(replace(query, page=Page(10, 1_000, token="more")), context)
        await it.run(replace(query, reverse=True), context)
        assert len(it.store.reads) == 3
        unit = WriteUnit((Put(Key(("ada",), (2,)), {}),), IdempotencyToken(0, "nonce-1"))
        await it.run(WriteRows(ORDERS.full_name, (unit,)), context)
        await it.run(query, context)
        assert len(it.store.reads) == 4


SHARED = replace(NEAR, tiers=("near", "shared"))


async def test_the_shared_tier_spares_the_store_a_second_gateway() -> None:
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, store = MemorySharedCache(clock), Store(clock)
    async with (
        cached(SHARED, store=store, shared=shared, clock=clock) as one,
        cached(SHARED, store=store, shared=shared, clock=clock) as two,
    ):
        await one.put("Ada")
        await one.get()
        got = await two.get()
        assert name_of(got) == "Ada"
        assert got.facts.source is Source.SHARED_CACHE
        assert len(store.reads) == 1
        await one.put("Eve")
        await settle()
        assert name_of(await two.get()) == "Eve"


async def test_across_gateways_a_lease_lets_one_load_and_the_other_wait_for_it() -> None:
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, store = MemorySharedCache(clock), Store(clock)
    async with (
        cached(SHARED, store=store, shared=shared, clock=clock) as one,
        cached(SHARED, store=store, shared=shared, clock=clock) as two,
    ):
        await one.put("Ada")
        store.held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(it.get()) for it in (one, two) for _ in range(50)]
            await asyncio.sleep(0.05)
            store.held.set()
        assert {name_of(reader.result()) for reader in readers} == {"Ada"}
        assert len(store.reads) == 1


async def test_a_slow_gateway_does_not_fill_the_shared_tier_after_anothers_write() -> None:
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, store = MemorySharedCache(clock), Store(clock)
    async with (
        cached(SHARED, store=store, shared=shared, clock=clock) as one,
        cached(SHARED, store=store, shared=shared, clock=clock) as two,
    ):
        await one.put("Ada")
        store.held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(one.get())
            await settle()
            held, store.held = store.held, None
            # The news is lost: only the lease stands between the slow load and the tier.
            shared.carrier.cut()
            await two.put("Eve")
            held.set()
        assert name_of(slow.result()) == "Ada"
        assert name_of(await two.get()) == "Eve"


async def test_a_shared_tier_that_is_gone_costs_no_reader_more_than_the_store() -> None:
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared = MemorySharedCache(clock)
    async with cached(SHARED, shared=shared, clock=clock) as it:
        shared.tier.is_up = False
        await it.put("Ada")
        assert name_of(await it.get()) == "Ada"
        errors = it.stats.tier_errors
        assert errors == 1
        await it.get(Key(("other",)))
        assert it.stats.tier_errors == errors
        shared.tier.is_up = True
        it.pass_s(1.0)
        await it.get(Key(("third",)))
        assert it.stats.tier_errors == errors


async def test_loads_are_limited_so_that_the_store_is_not_trampled() -> None:
    async with cached() as it:
        it.room.gate = asyncio.Semaphore(2)
        it.store.held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for n in range(10):
                group.create_task(it.get(Key((f"k{n}",))))
            await settle()
            assert len(it.store.reads) == 2
            it.store.held.set()
        assert len(it.store.reads) == 10
