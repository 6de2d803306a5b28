"""What a worker's caches did and hold, as one reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from taulu.cache import CacheRoom, Channel
from taulu.cache.stats import CacheStats
from taulu.gateway import Gateway
from taulu.policy.caching import Caching
from taulu.v1 import cache_pb2 as pb
from taulu.wire.values import value_message

HOTTEST_MAX = 10
"""How many of a table's places are named that are read most."""
CHANNEL_BOUND_S = 2.0
"""After how long without news a channel is said not to vouch: the least bound of a table."""


def cachings_of(gateway: Gateway) -> list[Caching]:
    """Return the caches of all tables that have one, by the names of these."""
    bindings = (gateway.bindings[name] for name in sorted(gateway.bindings))
    return [binding.cached.caching for binding in bindings if binding.cached is not None]


def channels_of(room: CacheRoom) -> dict[str, Channel]:
    """Return the channels that there are by name."""
    channels = {"local": room.local_channel, "shared": room.shared_channel}
    return {name: channel for name, channel in channels.items() if channel is not None}


def response(
    worker: pb.Worker, room: CacheRoom | None, cachings: Sequence[Caching]
) -> pb.GetCacheStatsResponse:
    """Return counts of some tables, and the state of what they share."""
    if room is None:
        return pb.GetCacheStatsResponse(worker=worker)
    return pb.GetCacheStatsResponse(
        worker=worker,
        tables=[_table(caching, room) for caching in cachings],
        channels=[_channel(name, channel) for name, channel in channels_of(room).items()],
        near_bytes=room.near.bytes,
        near_bytes_max=room.options.near_bytes,
        near_places=room.near.places,
        watchers=len(room.watchers),
    )


def hit_ratio(stats: CacheStats) -> float:
    """Return what share of entries needed no read of the store; 0 when none was asked for."""
    without = stats.near_hits + stats.shared_hits + stats.joins
    # A load ahead of time keeps nobody waiting.
    asked = without + stats.passes + max(0, stats.loads - stats.refreshes)
    return without / asked if asked else 0.0


def _table(caching: Caching, room: CacheRoom) -> pb.TableCacheStats:
    name = caching.table.full_name
    reason = why_not(caching, room)
    return pb.TableCacheStats(
        table=name,
        counts=asdict(caching.cache.stats),
        hit_ratio=hit_ratio(caching.cache.stats),
        near_places=room.near.places_of(name),
        hottest=[
            pb.HotPlace(
                partition=[value_message(value) for value in caching.keys.partition_of(place.key)],
                share=share,
            )
            for place, share in room.tally.hottest(name, HOTTEST_MAX)
        ],
        vouched=not reason,
        why_not=reason,
    )


def why_not(caching: Caching, room: CacheRoom) -> str:
    """Return why a table's entries have the bound only; empty when news vouch for them."""
    trust = caching.cache.trust()
    bound_s = caching.policy.staleness_us / 1e6
    if trust.since_s != float("inf") and trust.until_s >= room.clock.monotonic() - bound_s:
        return ""
    channel = caching.news.channel
    reason = "" if channel is None else channel.why_not(bound_s)
    return reason or "`cache.shared` is not set, so nothing is heard of other gateways' writes"


def _channel(name: str, channel: Channel) -> pb.ChannelState:
    reason = channel.why_not(CHANNEL_BOUND_S)
    return pb.ChannelState(name=name, vouches=not reason, why_not=reason, gaps=channel.gaps)
