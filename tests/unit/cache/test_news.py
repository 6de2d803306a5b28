from __future__ import annotations

from dataclasses import replace

from taulu.cache import CacheOptions
from taulu.gateway.caches import make_caching, open_room
from taulu.spi import Environment
from taulu_memory import MemoryAdapter, MemorySharedCache
from tests.unit.policy.cached_store import BEGAN_US, NEAR, USERS, Store
from tests.unit.policy.parts import DrivenClock

SHARED = replace(NEAR, tiers=("near", "shared"))


async def test_a_store_without_a_channel_trusts_nothing_that_could_not_be_dropped() -> None:
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, environment = MemorySharedCache(clock), Environment(clock=clock, server_id="one")
    tier = MemoryAdapter.create({}, environment)
    tier.shared_cache = lambda: shared  # type: ignore[method-assign]
    options = CacheOptions(shared="there", beat_s=1_000.0)
    async with open_room(options, tier, environment, is_needed=True) as room:
        assert room is not None
        store = MemoryAdapter.create({}, environment)
        news = make_caching(USERS, SHARED, store, room, Store(clock)).caching.news
        assert news.channel is None
        before = room.trust(is_host_bound=True).since_s
        clock.seconds += 10.0
        await news.drop_shared([])
        assert room.trust(is_host_bound=True).since_s == before
        shared.tier.is_up = False
        await news.drop_shared([])
        assert room.trust(is_host_bound=True).since_s == clock.seconds


async def test_the_tables_of_another_servers_own_store_are_other_tables() -> None:
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, names = MemorySharedCache(clock), set[str]()
    for server in ("one", "two"):
        environment = Environment(clock=clock, server_id=server)
        store = MemoryAdapter.create({}, environment)
        store.shared_cache = lambda: shared  # type: ignore[method-assign]
        options = CacheOptions(shared="there", beat_s=1_000.0)
        async with open_room(options, store, environment, is_needed=True) as room:
            assert room is not None
            tier = make_caching(USERS, SHARED, store, room, Store(clock)).caching.news.shared
            assert tier is not None
            names.add(tier.table)
    assert len(names) == 2
