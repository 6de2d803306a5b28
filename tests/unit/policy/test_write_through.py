from __future__ import annotations

import asyncio
from dataclasses import replace

from taulu.model import (
    Absent,
    Delete,
    IdempotencyToken,
    Put,
    Source,
    Update,
    WriteRows,
    WriteUnit,
)
from taulu.spi import Context
from tests.unit.policy.cached_store import (
    KEY,
    NEAR,
    USERS,
    cached,
    name_of,
    settle,
)


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


async def test_a_write_that_is_sent_again_brings_nothing_back() -> None:
    async with cached(replace(NEAR, is_write_through=True)) as it:
        await it.put("Ada")
        await it.put("Eve")
        it.store.repeats = True
        await it.put("Ada")
        assert name_of(await it.get()) == "Eve"


async def test_units_of_one_call_on_the_same_partition_fill_nothing() -> None:
    async with cached(replace(NEAR, is_write_through=True)) as it:
        units = tuple(
            WriteUnit((mutation,), IdempotencyToken(0, f"nonce-{n}"))
            for n, mutation in enumerate((Put(KEY, {"name": "Ada"}), Delete(KEY)))
        )
        await it.run(WriteRows(USERS.full_name, units), Context(it.clock.seconds + 5))
        assert (await it.get()).outcomes == (Absent(),)
