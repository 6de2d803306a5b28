from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taulu.cache import CacheOptions
from taulu.gateway import Gateway, GatewayOptions, StorageTarget, lifecycle, open_gateway
from taulu.model import (
    CachePolicy,
    ConfigError,
    Consistency,
    GetRows,
    IdempotencyToken,
    Key,
    Kind,
    Level,
    Put,
    Row,
    SystemClock,
    Table,
    WriteRows,
    WriteUnit,
)
from taulu.spi import Adapter, Capabilities, Context, Environment
from taulu_embedded import EmbeddedAdapter
from taulu_memory import MemoryAdapter
from tests.unit.policy.cached_store import USERS
from tests.unit.policy.parts import ORDERS

NEAR = CachePolicy(("near",), ttl_us=3_600_000_000)
CLOCK = SystemClock()


class Weak(MemoryAdapter):
    """Can do nothing that a cache needs."""

    name = "weak"
    capabilities = Capabilities(
        frozenset(Kind), frozenset(), frozenset({Level.EVENTUAL}), frozenset({Level.EVENTUAL})
    )

    def shared_cache(self) -> None:
        return None


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Mapping[str, type[Adapter]] = {
        "memory": MemoryAdapter,
        "weak": Weak,
        "embedded": EmbeddedAdapter,
    }
    monkeypatch.setattr(lifecycle, "load_adapter", found.__getitem__)


def options(adapter: str = "memory", shared: str = "", **more: Any) -> GatewayOptions:
    storage = {"embedded": StorageTarget(adapter, more), "weak": StorageTarget("weak")}
    return GatewayOptions(storage, cache=CacheOptions(shared=shared, beat_s=0.05))


async def refused(table: Table, chosen: GatewayOptions) -> str:
    with pytest.raises(ConfigError) as caught:
        async with open_gateway([table], chosen, Environment()):
            pass
    return str(caught.value)


async def test_a_table_that_cannot_be_cached_as_it_asks_is_refused_with_every_reason() -> None:
    policy = replace(
        NEAR, tiers=("near", "shared"), is_write_through=True, warm_up_rows=9, has_queries=True
    )
    levels = {"read_level": Level.EVENTUAL, "write_level": Level.EVENTUAL}
    told = await refused(replace(USERS, cache=policy, **levels), options("weak"))
    assert told == (
        "table shop.users cannot live on adapter weak: "
        "its cache: it cannot read at QUORUM, which a cache loads at; "
        "its cache: it writes at EVENTUAL, which a cache may not see; "
        "its cache: `cache.shared` of the settings names no target for its shared tier; "
        "its cache: its writes have no order by which `write: through` could be right; "
        "its cache: it cannot be scanned, which `warm_up` needs; "
        "its cache: only a wide table has queries to cache"
    )


async def test_a_target_that_is_no_shared_cache_is_refused() -> None:
    table = replace(USERS, cache=replace(NEAR, tiers=("shared",)))
    told = await refused(table, options(shared="weak"))
    assert told.startswith("`cache.shared` names storage 'weak', but adapter 'weak' cannot be")
    told = await refused(table, options(shared="nowhere"))
    assert told.startswith("`cache.shared` names storage 'nowhere', which the settings do not have")


async def test_without_a_cached_table_nothing_is_opened_for_caches() -> None:
    async with open_gateway([ORDERS], options(shared="weak"), Environment()) as gateway:
        assert gateway.room is None
        assert gateway.binding(ORDERS.full_name).cached is None


async def put(gateway: Gateway, name: str, count: int = 1) -> None:
    for n in range(count):
        token = IdempotencyToken(CLOCK.now_us(), f"nonce-{name}-{n}")
        unit = WriteUnit((Put(Key((f"user-{n}",)), {"name": name}),), token)
        got = await gateway(WriteRows(USERS.full_name, (unit,)), Context(CLOCK.monotonic() + 60))
        assert not hasattr(got.outcomes[0], "error"), got


async def name_at(gateway: Gateway, n: int = 0) -> object:
    operation = GetRows(USERS.full_name, (Key((f"user-{n}",)),), (), Consistency(Level.EVENTUAL))
    (row,) = (await gateway(operation, Context(CLOCK.monotonic() + 60))).outcomes
    assert isinstance(row, Row)
    return row.columns["name"]


async def eventually(check: Any) -> None:
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110 - what changes tells nobody
            await asyncio.sleep(0.02)


async def test_a_worker_that_starts_warms_its_cache_up(tmp_path: Path) -> None:
    table = replace(USERS, cache=replace(NEAR, warm_up_rows=250))
    chosen = options("embedded", path=str(tmp_path / "taulu.db"))
    async with open_gateway([table], chosen, Environment()) as gateway:
        await put(gateway, "Ada", 300)
    async with open_gateway([table], chosen, Environment()) as gateway:
        room = gateway.room
        assert room is not None
        await eventually(lambda: room.near.places == 250)
        cached = gateway.binding(table.full_name).cached
        assert cached is not None
        assert cached.caching.cache.stats.loads == 0


async def test_workers_of_one_server_hear_of_each_others_writes(tmp_path: Path) -> None:
    table = replace(USERS, cache=NEAR)
    chosen = options("embedded", path=str(tmp_path / "taulu.db"))

    def environment(worker: int) -> Environment:
        return Environment(workers=2, worker=worker, run_folder=str(tmp_path))

    async with (
        open_gateway([table], chosen, environment(0)) as one,
        open_gateway([table], chosen, environment(1)) as two,
    ):
        assert one.room is not None
        assert two.room is not None
        channel = two.room.local_channel
        assert channel is not None
        await eventually(lambda: channel.trust().until_s > CLOCK.monotonic() - 1)
        await put(one, "Ada")
        # The news may overtake this very load, which then fills nothing.
        assert await name_at(two) == "Ada"
        await eventually(lambda: two.room is not None and not len(two.room.flights))
        assert await name_at(two) == "Ada"
        assert two.room.near.places == 1
        # A datagram is in the other's socket before the write is acknowledged.
        await put(one, "Eve")
        await eventually(lambda: two.room is not None and two.room.near.places == 0)
        assert await name_at(two) == "Eve"
