from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from taulu.cache.near import Place
from taulu.model import Absent, CachePolicy, Key, Put, Row, Source
from taulu_memory import MemorySharedCache
from tests.unit.policy.cached_store import (
    BEGAN_US,
    KEY,
    NEAR,
    USERS,
    Store,
    Subject,
    cached,
    name_of,
    settle,
)
from tests.unit.policy.parts import DrivenClock

SHARED = replace(NEAR, tiers=("near", "shared"))


@asynccontextmanager
async def two_gateways(
    policy: CachePolicy = SHARED,
) -> AsyncGenerator[tuple[Subject, Subject, MemorySharedCache]]:
    """Open two gateways with one shared cache in front of one store."""
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, store = MemorySharedCache(clock), Store(clock)
    async with (
        cached(policy, store=store, shared=shared, clock=clock) as one,
        cached(policy, store=store, shared=shared, clock=clock) as two,
    ):
        yield one, two, shared


async def test_the_shared_tier_spares_the_store_a_second_gateway() -> None:
    async with two_gateways() as (one, two, _):
        store = one.store
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
    async with two_gateways() as (one, two, _):
        store = one.store
        await one.put("Ada")
        store.held = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(it.get()) for it in (one, two) for _ in range(50)]
            await asyncio.sleep(0.05)
            store.held.set()
        assert {name_of(reader.result()) for reader in readers} == {"Ada"}
        assert len(store.reads) == 1


async def test_a_slow_gateway_does_not_fill_the_shared_tier_after_anothers_write() -> None:
    async with two_gateways() as (one, two, shared):
        store = one.store
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


async def test_a_row_that_expired_is_loaded_once_for_all_gateways() -> None:
    async with two_gateways() as (one, two, _):
        store = one.store
        store.rows[KEY] = Row(KEY, {"name": "Ada"}, BEGAN_US, expire_us=BEGAN_US + 2_000_000)
        for gateway in (one, two):
            assert name_of(await gateway.get()) == "Ada"
        assert len(store.reads) == 1
        one.pass_s(3.0)
        del store.rows[KEY]
        for gateway in (one, two, one, two):
            assert (await gateway.get()).outcomes == (Absent(),)
        assert len(store.reads) == 2


async def test_an_entry_at_its_end_is_loaded_once_for_all_gateways() -> None:
    """Clocks may lie half a second apart: for so long before its end others serve it no more."""
    async with two_gateways(replace(SHARED, ttl_us=4_000_000)) as (one, two, _):
        store = one.store
        await one.put("Ada")
        await one.get()
        one.pass_s(3.8)
        for gateway in (two, one):
            # One's own copy is good still, and is not asked for here.
            gateway.room.near.drop(Place(USERS.full_name, b"ada\0\1"))
            assert name_of(await gateway.get()) == "Ada"
        assert len(store.reads) == 2


async def test_gateways_whose_tables_differ_share_drops_but_no_entries() -> None:
    """One gateway runs already with a YAML in which more columns are cached."""
    clock = DrivenClock(BEGAN_US, 1_000.0)
    shared, store = MemorySharedCache(clock), Store(clock)
    few = replace(SHARED, columns=("email",))
    async with (
        cached(few, store=store, shared=shared, clock=clock) as before,
        cached(SHARED, store=store, shared=shared, clock=clock) as after,
    ):
        await after.write(Put(KEY, {"email": "ada@example.org", "name": "Ada"}))
        await before.get(columns=("email",))
        got = await after.get()
        assert (name_of(got), got.facts.source) == ("Ada", Source.PRIMARY)
        await before.write(Put(KEY, {"email": "eve@example.org", "name": "Eve"}))
        await settle()
        assert name_of(await after.get()) == "Eve"
