"""What a verification says of copies that agree with the store, lag behind it, or are wrong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from taulu.cache import verification
from taulu.cache.verification import CounterExample, Findings, Verification
from taulu.codec import KeyCodec, RowCodec
from taulu.model import Absent, Failed, Key, Row, TauluError, Unavailable
from taulu_memory import MemorySharedCache
from tests.unit.policy.cached_store import KEY, NEAR, USERS, Subject, cached, settle

BOUND_S = NEAR.staleness_us / 1e6


@pytest.fixture
async def subject(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Subject]:
    monkeypatch.setattr(verification, "LOOK_AGAIN_S", 0.0)
    async with cached() as made:
        yield made


def verification_of(subject: Subject) -> Verification:
    caching: Any = subject.run

    async def read(keys: Sequence[Key]) -> list[Row | Absent | TauluError]:
        if subject.store.fails is not None:
            raise subject.store.fails
        found = [subject.store.rows.get(key, Absent()) for key in keys]
        return [got.error if isinstance(got, Failed) else got for got in found]

    return Verification(caching.cache, KeyCodec(USERS), RowCodec(USERS), read)


async def verify(subject: Subject, *, step_s: float = 0.0, places_max: int = 1_000) -> Findings:
    """Run a verification to its end, while time passes in steps."""
    last: Findings | None = None
    running = verification_of(subject).run(places_max)

    async def run() -> None:
        nonlocal last
        async for findings in running:
            last = findings

    task = asyncio.create_task(run())
    while not task.done():
        await settle()
        subject.pass_s(step_s)
    await task
    assert last is not None
    return last


async def test_copies_that_agree_are_counted(subject: Subject) -> None:
    keys = [Key((f"{number}",)) for number in range(120)]
    for key in keys[:100]:
        await subject.put("x", key)
    await subject.get(*keys)
    found = await verify(subject)
    assert (found.sampled, found.done, found.checked) == (120, 120, 120)
    assert (found.lagging, found.beyond, found.examples) == (0, 0, [])
    assert found.staleness_us(1.0) == 0
    assert subject.stats.checked == 120
    few = await verify(subject, places_max=7)
    assert (few.sampled, few.checked) == (7, 7)


@pytest.mark.parametrize("change", ["version", "columns", "gone", "came"])
async def test_a_copy_that_outlives_the_bound_is_a_counter_example(
    subject: Subject, change: str
) -> None:
    if change != "came":
        await subject.put("Ada")
    await subject.get()
    row = subject.store.rows.get(KEY, Row(KEY, {"name": "Ada"}, 7))
    match change:
        case "version":
            subject.store.rows[KEY] = replace(row, version=row.version + 1)
        case "columns":
            subject.store.rows[KEY] = replace(row, columns={"name": "Eve"})
        case "gone":
            del subject.store.rows[KEY]
        case _:
            subject.store.rows[KEY] = row
    found = await verify(subject, step_s=0.5)
    assert (found.checked, found.lagging, found.beyond) == (1, 1, 1)
    cached_version = 0 if change == "came" else row.version
    held = subject.store.rows.get(KEY)
    stored_version = 0 if held is None else held.version
    lag_us = found.staleness_us(1.0)
    assert found.examples == [CounterExample(KEY, "near", cached_version, stored_version, lag_us)]
    assert BOUND_S * 1e6 < lag_us <= (BOUND_S + 1.0) * 1e6
    assert (subject.stats.beyond, subject.stats.staleness_us_max) == (1, lag_us)


async def test_a_copy_that_goes_within_the_bound_only_lags(subject: Subject) -> None:
    await subject.put("Ada")
    await subject.get()
    row = subject.store.rows[KEY]
    subject.store.rows[KEY] = replace(row, version=row.version + 1)
    running = asyncio.create_task(verify(subject))
    await settle()
    subject.pass_s(1.5)
    caching: Any = subject.run
    subject.room.drop([caching._place(KEY.partition)])
    found = await running
    assert (found.lagging, found.beyond) == (1, 0)
    assert found.staleness_us(1.0) == 1_500_000


async def test_a_copy_is_stale_for_as_long_as_it_would_be_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verification, "LOOK_AGAIN_S", 0.0)
    async with cached(replace(NEAR, ttl_us=10_000_000, staleness_us=60_000_000)) as subject:
        await subject.put("Ada")
        await subject.get()
        del subject.store.rows[KEY]
        found = await verify(subject, step_s=0.5)
    assert (found.lagging, found.beyond) == (1, 0)
    assert 9.5e6 <= found.staleness_us(1.0) <= 11e6


async def test_what_would_not_be_served_is_not_compared(subject: Subject) -> None:
    await subject.put("Ada")
    await subject.get()
    del subject.store.rows[KEY]
    subject.pass_s(NEAR.ttl_us / 1e6)
    found = await verify(subject)
    assert (found.done, found.checked, found.lagging) == (1, 0, 0)


async def test_numbers_that_equal_nothing_are_compared_by_their_bytes() -> None:
    copy = Row(KEY, {"name": "a", "email": "b"}, 1)
    compared = Verification(None, KeyCodec(USERS), RowCodec(USERS), None)  # type: ignore[arg-type]
    odd = replace(copy, columns={"email": math.nan, "name": "a"})  # type: ignore[dict-item]
    same = replace(copy, columns={"name": "a", "email": float("nan")})  # type: ignore[dict-item]
    assert compared._is_same(odd, same, is_page=False)
    assert not compared._is_same(odd, copy, is_page=False)
    part = replace(copy, columns={"name": "a"})
    assert compared._is_same(part, copy, is_page=True)
    assert not compared._is_same(part, copy, is_page=False)


async def test_a_store_that_cannot_be_read_ends_it(subject: Subject) -> None:
    await subject.put("Ada")
    await subject.get()
    subject.store.fails = Unavailable("away")
    with pytest.raises(Unavailable, match="away"):
        await verify(subject)


async def test_the_shared_tier_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "LOOK_AGAIN_S", 0.0)
    policy = replace(NEAR, tiers=("near", "shared"), staleness_us=3_600_000_000)
    async with cached(policy, shared=None) as bare:
        clock = bare.clock
    shared = MemorySharedCache(clock)
    async with cached(policy, shared=shared, clock=clock) as subject:
        await subject.put("Ada")
        await subject.get()
        found = await verify(subject)
        assert (found.checked, found.lagging) == (2, 0)
        row = subject.store.rows[KEY]
        subject.store.rows[KEY] = replace(row, version=row.version + 1)
        running = asyncio.create_task(verify(subject))
        await settle()
        caching: Any = subject.run
        subject.room.near.drop(caching._place(KEY.partition))
        await settle()
        assert not running.done()
        await shared.tier.drop(USERS.full_name, [caching._place(KEY.partition).key])
        found = await running
        assert (found.checked, found.lagging, found.beyond) == (2, 2, 0)


async def test_a_table_without_a_near_tier_is_compared_by_what_is_read_most() -> None:
    async with cached() as bare:
        clock = bare.clock
    policy = replace(NEAR, tiers=("shared",))
    async with cached(policy, shared=MemorySharedCache(clock), clock=clock) as subject:
        await subject.put("Ada")
        for _ in range(40):
            await subject.get()
        found = await verify(subject)
        assert (found.sampled, found.checked, found.lagging) == (1, 1, 0)


def test_staleness_counts_copies_that_agree_as_fresh() -> None:
    found = Findings(10, checked=100)
    assert found.staleness_us(1.0) == 0
    for lag_us in (30, 10, 20):
        found.add_lag(lag_us)
    shares = (0.5, 0.95, 0.97, 0.98, 0.99, 1.0)
    assert [found.staleness_us(share) for share in shares] == [0, 0, 0, 10, 20, 30]
