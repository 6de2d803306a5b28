from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from taulu.model import (
    Absent,
    Consistency,
    Delete,
    Failed,
    IdempotencyToken,
    Key,
    Level,
    Page,
    Put,
    QueryRows,
    Row,
    Source,
    Unavailable,
    Unsupported,
    Update,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
)
from taulu.spi import Context
from taulu_memory import MemorySharedCache
from tests.unit.policy.cached_store import (
    BEGAN_US,
    EVENTUAL,
    KEY,
    NEAR,
    SESSION,
    USERS,
    Subject,
    cached,
    name_of,
    settle,
)
from tests.unit.policy.parts import ORDERS


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

    carrier, room = MemorySharedCache(it.clock).carrier, it.room
    return Channel("me", 1, carrier, it.clock, ChannelOptions(1, 0, 600), room.on_news, room.run)


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
