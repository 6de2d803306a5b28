"""The caches of a worker: what they share, and the cache of each table that asks for one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from taulu.cache import CacheOptions, CacheRoom, Channel, LocalCarrier, TableCache
from taulu.cache.channel import ChannelOptions
from taulu.cache.entry_codec import EntryCodec
from taulu.cache.loads import Loads
from taulu.cache.local_carrier import member_name
from taulu.cache.news import News
from taulu.cache.shared import Shared
from taulu.cache.stats import CacheStats
from taulu.codec import KeyCodec
from taulu.gateway.start import until_there
from taulu.model.consistency import Level
from taulu.model.table import CachePolicy, Kind, Table
from taulu.policy.caching import Caching, StoreReader
from taulu.policy.warm_up import WarmUp
from taulu.policy.write_through import WriteThrough
from taulu.spi.adapter import Adapter, Environment
from taulu.spi.capabilities import Feature
from taulu.spi.context import Handler
from taulu.spi.shared_cache import Carrier


def cache_refusals(table: Table, adapter: Adapter, *, has_shared: bool) -> list[str]:
    """Return why a table cannot be cached as it asks, one sentence each; empty when it can."""
    policy = table.cache
    if policy is None:
        return []
    can = adapter.capabilities_of(table)
    reasons: list[str] = []
    if Level.QUORUM not in can.read_levels:
        reasons.append("it cannot read at QUORUM, which a cache loads at")
    if table.write_level < Level.QUORUM:
        reasons.append(f"it writes at {table.write_level.name}, which a cache may not see")
    if "shared" in policy.tiers and not has_shared:
        reasons.append("`cache.shared` of the settings names no target for its shared tier")
    if policy.is_write_through and Feature.WRITE_ORDER not in can.features:
        reasons.append("its writes have no order by which `write: through` could be right")
    if policy.warm_up_rows and Feature.SCAN not in can.features:
        reasons.append("it cannot be scanned, which `warm_up` needs")
    if policy.has_queries and table.kind is not Kind.WIDE:
        reasons.append("only a wide table has queries to cache")
    return [f"its cache: {reason}" for reason in reasons]


@asynccontextmanager
async def open_room(
    options: CacheOptions,
    shared: Adapter | None,
    environment: Environment,
    *,
    is_needed: bool,
    start_wait_s: float = 0.0,
) -> AsyncGenerator[CacheRoom | None]:
    """Open what the caches of a worker share, and close it at the end.

    Raises:
        TransientError: The other gateways cannot be told of this one for longer than
            `start_wait_s`.
    """
    if not is_needed:
        yield None
        return
    async with _tasks() as tasks, AsyncExitStack() as stack:
        room = CacheRoom.create(options, environment.clock, tasks, environment.server_id)
        stack.callback(room.stop)
        if environment.workers > 1:
            carrier = LocalCarrier(
                Path(environment.run_folder), environment.worker, environment.workers
            )
            carrier.open()
            stack.callback(carrier.close)
            me = member_name(environment.worker)
            room.local_channel = await _opened(stack, room, carrier, me, skew_s=0.0)
        if shared is not None:
            room.shared = shared.shared_cache()
        if room.shared is not None:
            me = f"{environment.server_id}-{environment.worker}"
            carrier = room.shared.carrier
            skew_s = options.clock_skew_s
            room.shared_channel = await _opened(
                stack, room, carrier, me, skew_s=skew_s, start_wait_s=start_wait_s
            )
        yield room


@asynccontextmanager
async def _tasks() -> AsyncGenerator[asyncio.TaskGroup]:
    """Yield a group of tasks that never fail, so that what the body raises comes out as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _opened(
    stack: AsyncExitStack,
    room: CacheRoom,
    carrier: Carrier,
    me: str,
    *,
    skew_s: float,
    start_wait_s: float = 0.0,
) -> Channel:
    options = ChannelOptions(room.options.beat_s, skew_s, room.options.forget_s)
    epoch = secrets.randbits(62) + 1
    channel = Channel(me, epoch, carrier, room.clock, options, room.on_news, room.run)
    await until_there("cache", channel.open, start_wait_s, room.clock)
    stack.push_async_callback(channel.close)
    return channel


@dataclass(frozen=True, slots=True)
class CachedPipeline:
    """The cache of one table, with the handler that stands in front of its adapter."""

    caching: Caching
    warm_up: WarmUp


def make_caching(
    table: Table, policy: CachePolicy, adapter: Adapter, room: CacheRoom, store: Handler
) -> CachedPipeline:
    """Return the cache of a table in front of the handler that reads and writes its store."""
    is_host_bound = adapter.is_host_bound
    stats, keys = CacheStats(), KeyCodec(table)
    codec = EntryCodec(table, room.clock, room.options.clock_skew_s)
    shared = None
    if "shared" in policy.tiers and room.shared is not None:
        lease_us = int(room.options.lease_s * 1e6)
        # Another server's table of this name is in another store.
        name = f"{room.server_id}/{table.full_name}" if is_host_bound else table.full_name
        shared = Shared(name, room.shared.tier, codec, room.breaker, stats, lease_us)
    reader = StoreReader(store, table, policy, room.clock, room.options.load_timeout_s)
    loads: Loads = Loads(room, policy, codec, reader, shared, stats)
    is_ordered = Feature.WRITE_ORDER in adapter.capabilities_of(table).features
    cache = TableCache(
        table, policy, loads, lambda: room.trust(is_host_bound=is_host_bound), is_ordered
    )
    channel = room.local_channel if is_host_bound else room.shared_channel or room.local_channel
    news = News(
        table.full_name,
        room,
        shared,
        channel,
        is_trusted_beyond_bound=policy.ttl_us > policy.staleness_us and not is_host_bound,
    )
    through = WriteThrough(table, loads, keys) if policy.is_write_through else None
    caching = Caching(store, table, policy, cache, news, keys, through)
    return CachedPipeline(caching, WarmUp(store, table, loads, keys))


def shared_target(options: CacheOptions, tables: Sequence[Table]) -> str:
    """Return the storage target of the shared tier, if any table is cached; else nothing."""
    return options.shared if any(table.cache is not None for table in tables) else ""
