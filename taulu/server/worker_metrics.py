"""What a worker tells Prometheus: its requests, and what its caches did and hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from taulu.cache import CacheRoom
from taulu.gateway import Gateway
from taulu.policy.caching import Caching
from taulu.server import cache_counts
from taulu.server.listener import refusal
from taulu.telemetry import EndpointOptions, Requests, open_endpoint
from taulu.telemetry.metrics import (
    CACHE_COUNTS,
    CACHE_STALENESS_MAX,
    CACHE_VOUCHED,
    CHANNEL_GAPS,
    CHANNEL_VOUCHES,
    NEAR_BYTES,
    NEAR_BYTES_MAX,
    NEAR_PLACES,
    WATCHERS,
    Sample,
)

SETTING = "metrics"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Where the workers of a server are scraped."""

    host: str
    ports: tuple[int, ...]
    """By the number of the worker: whoever shared one would answer for another."""


@asynccontextmanager
async def open_metrics(
    options: MetricsOptions | None, worker: int, gateway: Gateway, requests: Requests
) -> AsyncGenerator[None]:
    """Let a worker be scraped until the context is left; without options, do nothing.

    Raises:
        ConfigError: The worker's port cannot be bound.
    """
    async with AsyncExitStack() as stack:
        if options is not None:
            endpoint = EndpointOptions(options.host, options.ports[worker], worker)

            def read() -> list[Sample]:
                return [*requests.samples(), *cache_samples(gateway)]

            try:
                await stack.enter_async_context(open_endpoint(endpoint, read))
            except OSError as error:
                raise refusal(endpoint.host, endpoint.port, SETTING, error) from error
        yield


def cache_samples(gateway: Gateway) -> Iterator[Sample]:
    """Yield what the caches of a worker did and hold, as it is now."""
    room = gateway.room
    if room is None:
        return
    for caching in cache_counts.cachings_of(gateway):
        yield from _table(caching, room)
    for name, channel in cache_counts.channels_of(room).items():
        why_not = channel.why_not(cache_counts.CHANNEL_BOUND_S)
        yield Sample(CHANNEL_VOUCHES, not why_not, (name,))
        yield Sample(CHANNEL_GAPS, channel.gaps, (name,))
    yield Sample(NEAR_BYTES, room.near.bytes)
    yield Sample(NEAR_BYTES_MAX, room.options.near_bytes)
    yield Sample(NEAR_PLACES, room.near.places)
    yield Sample(WATCHERS, len(room.watchers))


def _table(caching: Caching, room: CacheRoom) -> Iterator[Sample]:
    labels = (caching.table.full_name,)
    stats = caching.cache.stats
    for name, metric in CACHE_COUNTS.items():
        yield Sample(metric, getattr(stats, name), labels)
    yield Sample(CACHE_STALENESS_MAX, stats.staleness_us_max / _MICROSECONDS, labels)
    yield Sample(CACHE_VOUCHED, not cache_counts.why_not(caching, room), labels)
