"""The rule by which a client serves what it keeps, with a clock, news and loads that are driven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from taulu.cache.demand import Trust
from taulu.model import (
    Absent,
    Consistency,
    Delete,
    IdempotencyToken,
    Internal,
    Key,
    Level,
    Row,
    Source,
    Unavailable,
    WriteUnit,
)
from taulu_client.row_cache import Got, Want
from tests.unit.taulu_client.cache_parts import (
    ADA,
    BOUND_S,
    INFO,
    NEGATIVE_S,
    POLICY,
    TTL_S,
    row,
    without_cache,
)
from tests.unit.taulu_client.row_cache_parts import EVENTUAL, PLACE, WATCHED, Subject, settle


@pytest.fixture
async def subject() -> AsyncGenerator[Subject]:
    made = Subject()
    yield made
    made.cache.close()
    await settle()


CACHED = {"source": Source.NEAR_CACHE, "level": Level.EVENTUAL}
"""Of a reply from a cache of the gateway."""
KEPT, LOADED = Source.CLIENT_CACHE, Source.PRIMARY


async def test_without_news_an_entry_has_the_bound_from_its_own_read(subject: Subject) -> None:
    subject.reply = {"age_s": 2.0, **CACHED}
    assert await subject.source() is Source.NEAR_CACHE
    subject.clock.seconds += BOUND_S - 2.1
    got = await subject.read()
    assert (got.facts.source, got.facts.level) == (KEPT, Level.EVENTUAL)
    assert got.facts.as_of_us == pytest.approx(subject.clock.wall_us - (BOUND_S - 0.1) * 1e6, abs=2)
    subject.clock.seconds += 0.2
    assert await subject.source() is Source.NEAR_CACHE
    assert len(subject.calls) == 2


async def test_the_way_of_a_call_counts_as_age(subject: Subject) -> None:
    subject.held = asyncio.Event()
    reading = asyncio.create_task(subject.read())
    await settle()
    subject.clock.seconds += 3.0
    subject.held.set()
    await reading
    subject.clock.seconds += BOUND_S - 3.1
    assert await subject.source() is KEPT
    subject.clock.seconds += 0.2
    assert await subject.source() is LOADED


async def test_a_load_that_began_too_early_for_a_reader_is_not_its_own(subject: Subject) -> None:
    wanted = Consistency(Level.BOUNDED_STALENESS, 500_000)
    subject.held = asyncio.Event()
    first = asyncio.create_task(subject.read(wanted))
    await settle()
    subject.clock.seconds += 1.0
    second = asyncio.create_task(subject.read(wanted))
    await settle()
    assert len(subject.calls) == 1
    subject.held.set()
    await asyncio.gather(first, second)
    assert len(subject.calls) == 2


async def test_the_shared_tier_adds_what_clocks_may_lie_apart(subject: Subject) -> None:
    subject.cache.described(replace(INFO, cache=replace(POLICY, tiers=("near", "shared"))))
    subject.reply = CACHED
    await subject.read()
    subject.clock.seconds += BOUND_S - 0.6
    assert await subject.source() is KEPT
    subject.clock.seconds += 0.2
    assert await subject.source() is not KEPT


async def test_a_reply_at_quorum_is_as_new_as_its_call(subject: Subject) -> None:
    """Its age is that of a read that took long, not that of a copy."""
    subject.cache.described(replace(INFO, cache=replace(POLICY, tiers=("near", "shared"))))
    subject.reply = {"age_s": 3.0}
    await subject.read()
    subject.clock.seconds += BOUND_S - 0.1
    assert await subject.source() is KEPT
    subject.clock.seconds += 0.2
    assert await subject.source() is LOADED


async def test_one_who_joined_a_load_is_not_told_more_than_it_asked(subject: Subject) -> None:
    subject.held = asyncio.Event()
    first = asyncio.create_task(subject.read())
    await settle()
    subject.clock.seconds += 0.1
    second = asyncio.create_task(subject.read())
    await settle()
    subject.held.set()
    assert (await first).facts.level is Level.QUORUM
    assert (await second).facts.level is Level.EVENTUAL
    assert len(subject.calls) == 1


async def test_news_let_an_entry_live_until_its_ttl(subject: Subject) -> None:
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.reply = {"worker": WATCHED}
    await subject.read()
    for _ in range(int(TTL_S) - 1):
        subject.clock.seconds += 1.0
        subject.vouch()
        assert await subject.source() is KEPT
    subject.clock.seconds += 1.0
    assert await subject.source() is LOADED


async def test_news_that_do_not_come_leave_the_bound(subject: Subject) -> None:
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.reply = {"worker": WATCHED}
    await subject.read()
    subject.clock.seconds += BOUND_S + 3
    subject.vouch()
    assert await subject.source() is KEPT
    subject.clock.seconds += BOUND_S - 0.1
    assert await subject.source() is KEPT
    subject.clock.seconds += 0.2
    assert await subject.source() is LOADED


async def test_another_stream_does_not_vouch_for_what_was_read_before_it(subject: Subject) -> None:
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.reply = {"worker": WATCHED}
    await subject.read()
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.clock.seconds += BOUND_S + 0.1
    subject.vouch()
    assert await subject.source() is LOADED


async def test_a_gap_of_the_worker_leaves_the_bound(subject: Subject) -> None:
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.reply = {"worker": WATCHED}
    await subject.read()
    subject.clock.seconds += BOUND_S + 0.1
    subject.feed.vouched = Trust(1_001.0, subject.clock.seconds)
    assert await subject.source() is LOADED


@pytest.mark.parametrize(
    ("worker", "level", "is_trusted"),
    [(WATCHED, Level.EVENTUAL, True), (8, Level.EVENTUAL, False), (8, Level.QUORUM, True)],
)
async def test_copies_of_another_worker_are_not_vouched_for(
    subject: Subject, worker: int, level: Level, is_trusted: bool
) -> None:
    """They may lack what the stream told before they were asked for."""
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.reply = {"worker": worker, "source": Source.NEAR_CACHE, "level": level}
    await subject.read()
    subject.clock.seconds += BOUND_S + 0.1
    subject.vouch()
    assert (await subject.source() is KEPT) is is_trusted


async def test_what_was_asked_for_before_the_stream_began_is_not_vouched_for(
    subject: Subject,
) -> None:
    subject.held = asyncio.Event()
    subject.reply = {"worker": WATCHED}
    reading = asyncio.create_task(subject.read())
    await settle()
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.held.set()
    await reading
    subject.clock.seconds += BOUND_S + 0.1
    subject.vouch()
    assert await subject.source() is LOADED


@pytest.mark.parametrize("by", ["news", "write", "odd write"])
async def test_a_load_that_a_write_overtook_fills_nothing(subject: Subject, by: str) -> None:
    subject.held = asyncio.Event()
    reading = asyncio.create_task(subject.read())
    await settle()
    _take_away(subject, by)
    # One that comes after the write reads for itself.
    later = asyncio.create_task(subject.read())
    await settle()
    assert len(subject.calls) == 2
    _take_away(subject, by)
    subject.held.set()
    assert (await reading).value == (await later).value == row()
    assert subject.cache.stats.fenced == 2
    assert await subject.source() is LOADED


@pytest.mark.parametrize("by", ["news", "write", "odd write"])
async def test_what_was_written_is_gone_at_once(subject: Subject, by: str) -> None:
    await subject.read()
    assert await subject.source() is KEPT
    _take_away(subject, by)
    assert await subject.source() is LOADED


def _take_away(subject: Subject, by: str) -> None:
    assert PLACE is not None
    if by == "news":
        subject.cache.dropped([PLACE.key])
        return
    # A key that has no place may be any row's, as far as the client can tell.
    key = ADA if by == "write" else Key((7,))
    subject.cache.wrote([WriteUnit((Delete(key),), IdempotencyToken(0, "nonce-0001"))])


async def test_absence_is_remembered_for_its_own_time(subject: Subject) -> None:
    subject.feed.hear(since_s=0.0, until_s=1_000.0)
    subject.reply, subject.answers = {"worker": WATCHED}, Absent
    await subject.read()
    subject.clock.seconds += NEGATIVE_S - 0.1
    subject.vouch()
    assert (await subject.read()).value == Absent()
    assert subject.cache.stats.negatives == 1
    subject.clock.seconds += 0.2
    subject.vouch()
    assert await subject.source() is LOADED


async def test_absence_is_not_remembered_where_the_table_says_so(subject: Subject) -> None:
    subject.cache.described(replace(INFO, cache=replace(POLICY, negative_ttl=POLICY.ttl * 0)))
    subject.answers = Absent
    got = await asyncio.gather(*(subject.read() for _ in range(50)))
    assert {item.value for item in got} == {Absent()}
    # All who came before the first load began anew joined the second.
    assert len(subject.calls) <= 2


async def test_a_row_that_expires_is_gone_by_its_own_time(subject: Subject) -> None:
    as_of_us = 77_000_000_000
    subject.answers = lambda: row(expire_us=as_of_us + 3_000_000)
    subject.reply = {"as_of_us": as_of_us, "age_s": 1.0, **CACHED}
    await subject.read()
    subject.clock.seconds += 1.9
    assert await subject.source() is KEPT
    subject.clock.seconds += 0.2
    assert await subject.source() is not KEPT


@pytest.mark.parametrize(
    "reply",
    [
        {"is_stale": True, "source": Source.NEAR_CACHE},
        {"source": Source.REPLICA, "level": Level.EVENTUAL},
        {"source": Source.PRIMARY, "level": Level.SESSION},
    ],
)
async def test_answers_that_may_lack_acknowledged_writes_are_not_kept(
    subject: Subject, reply: dict[str, Any]
) -> None:
    subject.reply = reply
    for _ in range(3):
        assert await subject.source() is reply["source"]
    assert len(subject.calls) == 3


async def test_bounded_reads_have_their_own_bound(subject: Subject) -> None:
    await subject.read()
    subject.clock.seconds += 1.0
    assert await subject.source(Consistency(Level.BOUNDED_STALENESS, 1_500_000)) is KEPT
    assert await subject.source(Consistency(Level.BOUNDED_STALENESS, 500_000)) is LOADED
    assert await subject.source(Consistency(Level.BOUNDED_STALENESS, 500_000)) is KEPT


@pytest.mark.parametrize(
    ("version", "time_us", "is_kept"),
    [
        (0, 0, True),
        (100, 9_000_000_000, True),
        (101, 999_000_000, True),
        (101, 999_900_000, False),
        (101, 0, True),
        (2_000_000_000, 0, False),
    ],
)
async def test_a_session_is_served_what_it_has_seen(
    subject: Subject, version: int, time_us: int, is_kept: bool
) -> None:
    """The entry has version 100, and was read at 1,000,000,000 by the gateway's clock."""
    await subject.read()
    wanted = Consistency(Level.SESSION, session_version=version, session_us=time_us)
    assert (await subject.source(wanted) is KEPT) is is_kept


async def test_versions_prove_nothing_where_writes_have_no_order(subject: Subject) -> None:
    wanted = Consistency(Level.SESSION, session_version=100, session_us=999_900_000)
    await subject.read()
    assert await subject.source(wanted) is KEPT
    subject.cache.described(replace(INFO, capabilities=()))
    await subject.read()
    assert await subject.source(wanted) is LOADED


async def test_a_failed_load_is_its_own_readers_and_others_try_again(subject: Subject) -> None:
    answers = iter([Unavailable("away"), row(), row()])
    subject.answers = lambda: next(answers)
    subject.held = asyncio.Event()
    first = asyncio.create_task(subject.read())
    await settle()
    second = asyncio.create_task(subject.read())
    await settle()
    subject.held.set()
    assert isinstance(await first, Unavailable)
    assert (await second).value == row()
    assert len(subject.calls) == 2


async def test_a_reader_that_is_cut_off_takes_nothing_from_the_others(subject: Subject) -> None:
    subject.held = asyncio.Event()
    first = asyncio.create_task(subject.read())
    await settle()
    second = asyncio.create_task(subject.read())
    await settle()
    first.cancel()
    subject.held.set()
    assert (await second).value == row()
    assert len(subject.calls) == 1


async def test_a_defect_reaches_those_who_wait(subject: Subject) -> None:
    def broken() -> Row:
        raise ZeroDivisionError

    subject.answers = broken
    assert isinstance(await subject.read(), Internal)


async def test_closing_ends_the_wait(subject: Subject) -> None:
    subject.held = asyncio.Event()
    reading = asyncio.create_task(subject.read())
    await settle()
    subject.cache.close()
    got = await reading
    assert isinstance(got, Unavailable)
    assert "closed" in got.message


async def test_another_policy_begins_anew(subject: Subject) -> None:
    await subject.read()
    subject.cache.described(INFO)
    assert await subject.source() is KEPT
    subject.cache.described(without_cache())
    assert await subject.source() is LOADED
    assert await subject.source() is LOADED


async def test_a_key_that_stands_twice_is_loaded_once(subject: Subject) -> None:
    assert PLACE is not None
    want = Want(PLACE, ADA)
    got = await subject.cache.read([want, want], EVENTUAL, subject.load)
    assert [item.value for item in got if isinstance(item, Got)] == [row(), row()]
    assert subject.calls == [[ADA]]
