"""What every shared cache must do, whatever holds it; each test takes a table of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import cast
from uuid import uuid4

import pytest

from taulu.model import Unavailable
from taulu.spi import Answer, Ask, Busy, Carrier, Fill, Hit, Leased, SharedCache, SharedTier

Elapse = Callable[[int], Awaitable[None]]
"""Lets so many microseconds pass for the cache."""

LONG_US = 600_000_000
"""Longer than any test takes."""
SHORT_US = 200_000
NEWS_S_MAX = 30.0
BINARY = bytes(range(256))
NAMES = (b"", b"a", b"b" * 70_000, BINARY, b"{x}", b"a:b\r\n", b"\x00")


@pytest.fixture
def table() -> str:
    return f"shared.t{uuid4().hex}"


@pytest.fixture
def tier(shared: SharedCache) -> SharedTier:
    return shared.tier


@pytest.fixture
def carrier(shared: SharedCache) -> Carrier:
    return shared.carrier


def ask(
    place: bytes = b"p", variant: bytes = b"v", as_of: int = 0, version: int | None = None
) -> Ask:
    return Ask(place, variant, as_of, version)


async def one(tier: SharedTier, table: str, asked: Ask, lease_us: int = LONG_US) -> Answer:
    (answer,) = await tier.get(table, [asked], lease_us)
    return answer


async def leased(tier: SharedTier, table: str, asked: Ask, lease_us: int = LONG_US) -> str:
    answer = await one(tier, table, asked, lease_us)
    assert isinstance(answer, Leased)
    return answer.lease


def loaded(asked: Ask, lease: str, entry: bytes, *, as_of: int = 100, version: int = 10) -> Fill:
    return Fill(asked.place, asked.variant, lease, as_of, version, entry, LONG_US)


async def fill(tier: SharedTier, table: str, filled: Fill) -> bool:
    (is_kept,) = await tier.fill(table, [filled])
    return is_kept


async def hold(tier: SharedTier, table: str, asked: Ask, entry: bytes = b"entry") -> None:
    """Put an entry in: as of 100, version 10."""
    lease = await leased(tier, table, asked)
    assert await fill(tier, table, loaded(asked, lease, entry))


async def next_news(news: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(news), NEWS_S_MAX)


@contextlib.asynccontextmanager
async def listening(carrier: Carrier) -> AsyncGenerator[AsyncIterator[bytes]]:
    """Listen, from the moment on at which nothing is missed."""
    news = carrier.listen()
    try:
        assert await next_news(news) == b""
        yield news
    finally:
        await cast("AsyncGenerator[bytes]", news).aclose()


class TierContract:
    """Tests of a `SharedTier`; a subclass's module has the fixtures `shared` and `elapse`."""

    async def test_one_reader_loads_and_the_others_wait_for_it(
        self, tier: SharedTier, table: str
    ) -> None:
        lease = await leased(tier, table, ask())
        assert await one(tier, table, ask()) == Busy()
        assert await fill(tier, table, loaded(ask(), lease, b"entry"))
        assert await one(tier, table, ask()) == Hit(b"entry")
        assert await one(tier, f"{table}x", ask()) != Hit(b"entry")

    async def test_an_entry_serves_those_for_whom_it_is_fresh_enough(
        self, tier: SharedTier, table: str
    ) -> None:
        await hold(tier, table, ask())
        fresh = [ask(as_of=100), ask(as_of=101, version=10), ask(as_of=99, version=11)]
        for asked in fresh:
            assert await one(tier, table, asked) == Hit(b"entry")
        lease = await leased(tier, table, ask(as_of=101))
        assert await one(tier, table, ask(as_of=101, version=11)) == Busy()
        assert await one(tier, table, ask(as_of=100)) == Hit(b"entry")
        later = loaded(ask(), lease, b"later", as_of=101, version=10)
        assert await fill(tier, table, later)
        assert await one(tier, table, ask(as_of=101)) == Hit(b"later")

    async def test_a_batch_answers_each_ask_in_order(self, tier: SharedTier, table: str) -> None:
        asks = [ask(place, variant) for place in NAMES for variant in (b"1", b"2")]
        for asked in asks[::3]:
            await hold(tier, table, asked, b"entry of " + asked.place + asked.variant)
        answers = await tier.get(table, asks, LONG_US)
        for i, (asked, answer) in enumerate(zip(asks, answers, strict=True)):
            if i % 3:
                assert isinstance(answer, Leased)
            else:
                assert answer == Hit(b"entry of " + asked.place + asked.variant)
        fills = [
            loaded(asked, answer.lease if isinstance(answer, Leased) else "none", asked.place)
            for asked, answer in zip(asks, answers, strict=True)
        ]
        kept = await tier.fill(table, fills)
        assert kept == [isinstance(answer, Leased) for answer in answers]
        assert await tier.get(table, [], LONG_US) == []
        assert await tier.fill(table, []) == []
        await tier.release(table, [])
        await tier.drop(table, [])

    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    async def test_any_bytes_will_do(self, tier: SharedTier, table: str, name: bytes) -> None:
        asked = [ask(name, b"v"), ask(b"p", name), ask(name, name)]
        for each in asked:
            await hold(tier, table, each, name)
        assert await tier.get(table, asked, LONG_US) == [Hit(name)] * 3
        await tier.drop(table, [name])
        after = await tier.get(table, asked, LONG_US)
        assert [isinstance(answer, Leased) for answer in after] == [True, False, True]

    async def test_a_fill_that_was_dropped_meanwhile_is_refused(
        self, tier: SharedTier, table: str
    ) -> None:
        slow = await leased(tier, table, ask())
        await tier.drop(table, [b"p"])
        assert not await fill(tier, table, loaded(ask(), slow, b"old"))
        quick = await leased(tier, table, ask())
        assert not await fill(tier, table, loaded(ask(), slow, b"old"))
        assert await fill(tier, table, loaded(ask(), quick, b"new"))
        assert not await fill(tier, table, loaded(ask(), slow, b"old"))
        assert await one(tier, table, ask()) == Hit(b"new")

    async def test_a_lease_fills_once_and_only_its_own(self, tier: SharedTier, table: str) -> None:
        lease = await leased(tier, table, ask())
        other = await leased(tier, table, ask(variant=b"other"))
        assert not await fill(tier, table, loaded(ask(), other, b"entry"))
        assert not await fill(tier, table, loaded(ask(variant=b"third"), lease, b"entry"))
        assert await fill(tier, table, loaded(ask(), lease, b"entry"))
        assert not await fill(tier, table, loaded(ask(), lease, b"again"))
        assert await one(tier, table, ask()) == Hit(b"entry")

    async def test_a_lease_that_ran_out_lets_the_next_in_and_fences(
        self, tier: SharedTier, table: str, elapse: Elapse
    ) -> None:
        slow = await leased(tier, table, ask(), SHORT_US)
        kept = await leased(tier, table, ask(variant=b"kept"))
        await elapse(SHORT_US)
        assert not await fill(tier, table, loaded(ask(), slow, b"old"))
        quick = await leased(tier, table, ask())
        assert not await fill(tier, table, loaded(ask(), slow, b"old"))
        assert await one(tier, table, ask()) == Busy()
        assert await fill(tier, table, loaded(ask(), quick, b"new"))
        assert await fill(tier, table, loaded(ask(variant=b"kept"), kept, b"kept"))

    async def test_a_release_lets_the_next_in(self, tier: SharedTier, table: str) -> None:
        failed = await leased(tier, table, ask())
        other = await leased(tier, table, ask(variant=b"other"))
        await tier.release(table, [(b"p", b"v", failed)])
        assert not await fill(tier, table, loaded(ask(), failed, b"old"))
        lease = await leased(tier, table, ask())
        await tier.release(table, [(b"p", b"v", failed), (b"q", b"v", failed)])
        assert await one(tier, table, ask()) == Busy()
        assert await fill(tier, table, loaded(ask(), lease, b"new"))
        assert await fill(tier, table, loaded(ask(variant=b"other"), other, b"other"))

    async def test_a_drop_takes_all_of_its_places_and_nothing_else(
        self, tier: SharedTier, table: str
    ) -> None:
        gone = [ask(place, variant) for place in (b"p", b"q") for variant in (b"v", b"w")]
        stays = ask(b"pq")
        for asked in [*gone, stays]:
            await hold(tier, table, asked)
        elsewhere = f"{table}x"
        await hold(tier, elsewhere, ask(b"p"))
        await tier.drop(table, [b"p", b"q", b"never there"])
        answers = await tier.get(table, [*gone, stays], LONG_US)
        assert [isinstance(answer, Leased) for answer in answers] == [True] * 4 + [False]
        assert await one(tier, elsewhere, ask(b"p")) == Hit(b"entry")

    async def test_an_entry_that_ran_out_is_a_miss_though_its_place_lives_on(
        self, tier: SharedTier, table: str, elapse: Elapse
    ) -> None:
        await hold(tier, table, ask(variant=b"long"))
        lease = await leased(tier, table, ask())
        assert await fill(tier, table, Fill(b"p", b"v", lease, 100, 10, b"entry", SHORT_US))
        await elapse(SHORT_US)
        assert isinstance(await one(tier, table, ask()), Leased)
        assert await one(tier, table, ask(variant=b"long")) == Hit(b"entry")

    async def test_of_many_readers_at_once_one_loads(self, tier: SharedTier, table: str) -> None:
        answers = await asyncio.gather(*(one(tier, table, ask()) for _ in range(50)))
        assert sum(isinstance(answer, Leased) for answer in answers) == 1
        assert sum(answer == Busy() for answer in answers) == 49


class CarrierContract:
    """Tests of a `Carrier`; a subclass's module has the fixture `shared`."""

    async def test_all_who_listen_hear_all_messages_in_order(self, carrier: Carrier) -> None:
        sent = [b"first", b"", BINARY, *(b"%d" % i for i in range(50)), b"l" * 70_000]
        async with listening(carrier) as one, listening(carrier) as other:
            for message in sent:
                await carrier.send(message)
            assert [await next_news(one) for _ in sent] == sent
            assert [await next_news(other) for _ in sent] == sent

    async def test_what_was_sent_before_is_not_heard(self, carrier: Carrier) -> None:
        await carrier.send(b"before")
        async with listening(carrier) as news:
            await carrier.send(b"after")
            assert await next_news(news) == b"after"
        await carrier.send(b"meanwhile")
        async with listening(carrier) as news:
            await carrier.send(b"again")
            assert await next_news(news) == b"again"

    async def test_members_are_on_the_list_until_they_are_struck_off(
        self, carrier: Carrier
    ) -> None:
        mine, other = f"gateway {uuid4()}", f"Ümlaut {uuid4()}"
        await carrier.enrol(mine)
        await carrier.enrol(other)
        await carrier.enrol(mine)
        assert {mine, other} <= await carrier.members()
        await carrier.strike(mine)
        await carrier.strike(mine)
        members = await carrier.members()
        assert other in members
        assert mine not in members
        await carrier.strike(other)


async def lost(news: AsyncIterator[bytes]) -> Unavailable:
    """Wait until a listener says that it lost its way."""
    try:
        while True:
            await next_news(news)
    except Unavailable as trouble:
        return trouble
