"""The stream of news: which trust it gives on the client's clock, and what takes it away.

`ScriptedNews` stands for the gateway, which cannot be told to be slow, silent or wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest

from taulu.cache.demand import NO_TRUST
from taulu.model import Unavailable
from taulu_client import TableInfo, cache_feed
from taulu_client.cache_feed import DRIFT, Feed
from tests.unit.policy.parts import DrivenClock
from tests.unit.taulu_client.cache_parts import USERS, ScriptedNews, described, news

S = 1_000_000
ORDERS = "demo.orders"


@dataclass
class Ears:
    """Notes what a listener is told."""

    infos: list[TableInfo] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    def described(self, info: TableInfo) -> None:
        self.infos.append(info)

    def dropped(self, keys: Sequence[bytes]) -> None:
        self.keys += keys


@dataclass
class Subject:
    clock: DrivenClock
    gateway: ScriptedNews
    feed: Feed
    ears: Ears

    async def send(self, stream: asyncio.Queue, message) -> None:
        stream.put_nowait(message)
        for _ in range(20):
            await asyncio.sleep(0)

    def trust(self):
        return self.feed.trust(USERS, self.feed.number)


@pytest.fixture
async def subject(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Subject]:
    monkeypatch.setattr(cache_feed, "PAUSE_S_MIN", 0.0)
    monkeypatch.setattr(cache_feed, "PAUSE_S_MAX", 0.0)
    clock, gateway = DrivenClock(0, 500.0), ScriptedNews({USERS: described()})
    feed = Feed(gateway, clock, _pause_s=0.0)  # type: ignore[arg-type]
    made = Subject(clock, gateway, feed, Ears())
    feed.add(USERS, made.ears)
    yield made
    await feed.close()


async def test_nothing_is_trusted_before_the_first_response(subject: Subject) -> None:
    stream = await subject.gateway.next_stream()
    assert subject.trust() == NO_TRUST
    assert subject.feed.number == 0
    await subject.send(stream, news(40 * S))
    assert (subject.feed.number, subject.feed.worker) == (1, 7)
    assert subject.trust() != NO_TRUST
    # What was read under another stream, or none, is not vouched for.
    assert subject.feed.trust(USERS, 0) == subject.feed.trust(USERS, 2) == NO_TRUST
    assert [info.name for info in subject.ears.infos] == [USERS]


async def test_the_way_makes_nothing_fresher(subject: Subject) -> None:
    """The worker's clock says 40 s less than the client's 500; its responses are late."""
    stream = await subject.gateway.next_stream()
    subject.clock.seconds = 503.0
    await subject.send(stream, news(42 * S, since_us=41 * S))
    trust = subject.trust()
    # Sent 1 s before it came, and answered 2 s after it was asked for: 42 was 502.
    assert trust.until_s <= 502.0
    assert trust.since_s >= 501.0
    for late_s in (0.0, 1.0, 3.0):
        subject.clock.seconds += 0.5 + late_s
        sent_s = subject.clock.seconds - late_s - 460.0
        await subject.send(stream, news(int(sent_s * S), since_us=41 * S))
        trust = subject.trust()
        assert trust.until_s <= sent_s + 460.0
        # And it costs no more than the first answer took, and what clocks may drift.
        assert trust.until_s >= sent_s + 460.0 - 2.0 - DRIFT * (subject.clock.seconds - 500.0)
        assert 501.0 <= trust.since_s <= 502.0 + DRIFT * subject.clock.seconds


async def test_places_are_dropped_before_more_is_trusted(subject: Subject) -> None:
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    subject.clock.seconds += 2.0
    await subject.send(stream, news(41 * S, places=(b"a", b"b")))
    await subject.send(stream, news(42 * S, places=(b"c",), table="demo.unknown"))
    assert subject.ears.keys == [b"a", b"b"]


async def test_what_is_not_vouched_for_is_not_trusted(subject: Subject) -> None:
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    subject.clock.seconds += 2.0
    await subject.send(stream, news(41 * S, vouched=False))
    assert subject.trust() == NO_TRUST
    await subject.send(stream, news(42 * S))
    assert subject.trust() != NO_TRUST
    assert subject.feed.number == 1


async def test_what_was_missed_takes_the_trust_in_all_before(subject: Subject) -> None:
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    subject.clock.seconds += 1.0
    await subject.send(stream, news(41 * S, missed=True))
    assert subject.feed.number == 2
    assert subject.feed.trust(USERS, 1) == NO_TRUST


@pytest.mark.parametrize("end", [None, Unavailable("the worker is stopping")])
async def test_a_stream_that_ends_takes_the_trust_until_another_is_heard(
    subject: Subject, end, caplog: pytest.LogCaptureFixture
) -> None:
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    with caplog.at_level(logging.WARNING):
        await subject.send(stream, end)
        stream = await subject.gateway.next_stream()
    assert ("within the bounds" in caplog.text) is (end is not None)
    assert (subject.feed.number, subject.trust()) == (0, NO_TRUST)
    await subject.send(stream, news(5 * S, run=8))
    assert (subject.feed.number, subject.feed.worker) == (2, 8)
    assert subject.feed.trust(USERS, 1) == NO_TRUST
    # Described anew, since it may be another gateway's now.
    assert len(subject.ears.infos) == 2


async def test_a_silent_stream_is_given_up(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subject.gateway.next_stream()
    monkeypatch.setattr(cache_feed, "SILENCE_S_MAX", 0.05)
    subject.feed.add(USERS, subject.ears)
    stream = await subject.gateway.next_stream()
    assert await subject.gateway.next_stream() is not stream


async def test_a_stream_is_renewed_before_clocks_drift_apart(subject: Subject) -> None:
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    subject.clock.seconds += cache_feed.RENEW_S + 1
    await subject.send(stream, news(40 * S))
    assert await subject.gateway.next_stream() is not stream
    assert subject.trust() == NO_TRUST


async def test_a_stream_that_was_slow_to_begin_is_soon_renewed(subject: Subject) -> None:
    """It lies behind by what its beginning took, for as long as it is used."""
    stream = await subject.gateway.next_stream()
    subject.clock.seconds += cache_feed.BEGIN_S_MAX + 2.0
    await subject.send(stream, news(40 * S))
    subject.clock.seconds += 1.0
    await subject.send(stream, news(41 * S))
    # It is better than none meanwhile.
    behind_s = subject.clock.seconds - subject.trust().until_s
    assert cache_feed.BEGIN_S_MAX + 2.0 <= behind_s < cache_feed.BEGIN_S_MAX + 2.1
    subject.clock.seconds += cache_feed.RENEW_SLOW_S
    await subject.send(stream, news(51 * S))
    again = await subject.gateway.next_stream()
    assert again is not stream
    await subject.send(again, news(51 * S))
    assert subject.trust().until_s == subject.clock.seconds


async def test_a_machine_that_was_asleep_hears_another_stream(subject: Subject) -> None:
    """Its clock stood still while the worker's went on: what was told is from its future."""
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    subject.clock.seconds += 1.0
    await subject.send(stream, news(3_600 * S))
    assert subject.trust() == NO_TRUST
    assert await subject.gateway.next_stream() is not stream


async def test_one_stream_watches_all_tables_that_can_be(subject: Subject) -> None:
    await subject.gateway.next_stream()
    subject.gateway.infos[ORDERS] = described(ORDERS)
    subject.gateway.infos["demo.plain"] = described("demo.plain", is_cached=False)
    for table in (ORDERS, "demo.plain", "demo.gone"):
        subject.feed.add(table, Ears())
    await subject.gateway.next_stream()
    assert sorted(subject.gateway.watched[-1]) == [ORDERS, USERS]


async def test_a_table_that_is_gone_is_trusted_no_more(subject: Subject) -> None:
    subject.gateway.infos[ORDERS] = described(ORDERS)
    await subject.gateway.next_stream()
    subject.feed.add(ORDERS, Ears())
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S, table=ORDERS))
    assert subject.feed.trust(ORDERS, subject.feed.number) != NO_TRUST
    del subject.gateway.infos[ORDERS]
    await subject.send(stream, None)
    stream = await subject.gateway.next_stream()
    await subject.send(stream, news(40 * S))
    assert subject.trust() != NO_TRUST
    assert subject.feed.trust(ORDERS, subject.feed.number) == NO_TRUST


async def test_waiting_for_news_ends_in_time_when_none_come(subject: Subject) -> None:
    stream = await subject.gateway.next_stream()
    await subject.feed.wait(USERS, 0.01)
    waiting = asyncio.create_task(subject.feed.wait(USERS, 30.0))
    await subject.send(stream, news(40 * S))
    await waiting
    assert subject.trust() != NO_TRUST
