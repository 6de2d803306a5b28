"""The shared cache in memory, against the contract, and when it is hurt."""

from __future__ import annotations

import pytest

from taulu.conformance import ShiftedClock
from taulu.model import Unavailable
from taulu.spi import Environment, Hit, Leased
from taulu_memory import MemoryAdapter, MemorySharedCache
from tests.conformance.shared_cache import (
    CarrierContract,
    Elapse,
    TierContract,
    ask,
    carrier,
    hold,
    listening,
    lost,
    next_news,
    one,
    table,
    tier,
)

__all__ = ["carrier", "table", "tier"]


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def shared(clock: ShiftedClock) -> MemorySharedCache:
    return MemorySharedCache(clock)


@pytest.fixture
def elapse(clock: ShiftedClock) -> Elapse:
    async def shift(time_us: int) -> None:
        clock.shift_us += time_us

    return shift


class TestTier(TierContract):
    """The contract of a tier."""


class TestCarrier(CarrierContract):
    """The contract of a carrier."""


async def test_a_tier_that_is_switched_off_serves_nobody(shared: MemorySharedCache) -> None:
    await hold(shared.tier, "a.b", ask())
    shared.tier.is_up = False
    with pytest.raises(Unavailable):
        await shared.tier.get("a.b", [ask()], 1)
    with pytest.raises(Unavailable):
        await shared.tier.fill("a.b", [])
    with pytest.raises(Unavailable):
        await shared.tier.release("a.b", [])
    with pytest.raises(Unavailable):
        await shared.tier.drop("a.b", [])
    shared.tier.is_up = True
    assert await one(shared.tier, "a.b", ask()) == Hit(b"entry")
    shared.tier.forget()
    assert isinstance(await one(shared.tier, "a.b", ask()), Leased)


async def test_a_listener_learns_that_its_way_was_cut(shared: MemorySharedCache) -> None:
    async with listening(shared.carrier) as news:
        shared.carrier.is_up = False
        with pytest.raises(Unavailable):
            await shared.carrier.send(b"news")
        assert "listen again" in (await lost(news)).message
        with pytest.raises(Unavailable):
            await anext(shared.carrier.listen())
    shared.carrier.is_up = True
    async with listening(shared.carrier) as news:
        await shared.carrier.send(b"news")
        assert await next_news(news) == b"news"


async def test_a_listener_that_reads_nothing_is_left_behind(shared: MemorySharedCache) -> None:
    async with listening(shared.carrier) as slow, listening(shared.carrier) as quick:
        for i in range(10_001):
            await shared.carrier.send(b"%d" % i)
            assert await next_news(quick) == b"%d" % i
        assert "listen again" in (await lost(slow)).message


async def test_adapters_have_caches_to_themselves_unless_they_are_handed_one() -> None:
    environment = Environment()
    cache = MemorySharedCache(environment.clock)
    first, second = MemoryAdapter(environment, cache), MemoryAdapter(environment, cache)
    assert first.shared_cache() is second.shared_cache()
    alone = MemoryAdapter.create({}, environment)
    assert alone.shared_cache() is alone.shared_cache()
    assert alone.shared_cache() is not cache
    await hold(first.shared_cache().tier, "a.b", ask())
    await hold(alone.shared_cache().tier, "a.b", ask())
    async with listening(alone.shared_cache().carrier) as news:
        await first.close()
        await alone.close()
        assert "listen again" in (await lost(news)).message
    assert await one(second.shared_cache().tier, "a.b", ask()) == Hit(b"entry")
    assert isinstance(await one(alone.shared_cache().tier, "a.b", ask()), Leased)
