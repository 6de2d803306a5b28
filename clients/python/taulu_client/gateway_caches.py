"""What the gateway's own caches did, and whether they are right. A worker answers for itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from taulu.model.row import Key, Partition
from taulu.v1 import cache_pb2 as pb
from taulu.wire.values import duration_us, key_from, key_values_from
from taulu_client import rpc
from taulu_client.retry import Deadline
from taulu_client.sendable import sendable
from taulu_client.sender import Sender


@dataclass(frozen=True, slots=True)
class Worker:
    """The process that answered."""

    server_id: str
    number: int
    """From 0."""
    count: int
    """How many its server has."""
    run: int
    """Another one each time the worker starts."""


@dataclass(frozen=True, slots=True)
class TableCacheStats:
    """What one table's cache did since the worker began."""

    table: str
    counts: Mapping[str, int]
    """By name; docs/reference/cache-stats.md says what each counts."""
    hit_ratio: float
    near_places: int
    hottest: tuple[tuple[Partition, float], ...]
    """Partition keys that are read most, with their share of all reads of the worker."""
    is_vouched: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One of a worker's ways to hear of writes."""

    name: str
    """`local` or `shared`."""
    vouches: bool
    why_not: str
    gaps: int


@dataclass(frozen=True, slots=True)
class WorkerCacheStats:
    """What one worker's caches hold, and what they did."""

    worker: Worker
    tables: tuple[TableCacheStats, ...]
    channels: tuple[ChannelState, ...]
    near_bytes: int
    near_bytes_max: int
    near_places: int
    watchers: int


@dataclass(frozen=True, slots=True)
class CounterExample:
    """A copy that was served beyond the bound."""

    key: Key
    tier: str
    cached_version: int
    """0 when the copy says that there is no row."""
    stored_version: int
    """0 when the store has no row."""
    staleness: timedelta


@dataclass(frozen=True, slots=True)
class CacheFindings:
    """What a verification has found so far; the last one is the result."""

    worker: Worker
    sampled: int
    done: int
    """Of the sampled places, those that were looked at."""
    checked: int
    lagging: int
    beyond: int
    bound: timedelta
    staleness_p50: timedelta
    staleness_p95: timedelta
    staleness_p99: timedelta
    staleness_max: timedelta
    counter_examples: tuple[CounterExample, ...]


class GatewayCaches:
    """The caches of the worker that a client is connected to; made by `Client.gateway_caches`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def stats(self, table: str = "") -> WorkerCacheStats:
        """Return what the caches did, of one table or of all."""
        with sendable():
            request = pb.GetCacheStatsRequest(table=table)
        reply = await self._sender.retrier.call(
            lambda left_s: self._sender.rpc.call(rpc.GET_CACHE_STATS, request, left_s),
            Deadline.after(self._sender.timeout_s),
        )
        return WorkerCacheStats(
            _worker(reply.worker),
            tuple(_table_stats(message) for message in reply.tables),
            tuple(
                ChannelState(message.name, message.vouches, message.why_not, message.gaps)
                for message in reply.channels
            ),
            reply.near_bytes,
            reply.near_bytes_max,
            reply.near_places,
            reply.watchers,
        )

    async def verify(self, table: str, sample: int = 0) -> AsyncGenerator[CacheFindings]:
        """Compare what is cached with the store; yields what was found so far, then the result.

        Args:
            table: A cached table.
            sample: How many places to compare; 0 leaves it to the gateway.
        """
        with sendable():
            request = pb.VerifyCacheRequest(table=table, sample_size=sample)
        stream = self._sender.rpc.stream(rpc.VERIFY_CACHE, request, None)
        async with aclosing(stream) as replies:
            async for reply in replies:
                yield _findings(reply)


def _worker(message: pb.Worker) -> Worker:
    return Worker(message.server_id, message.number, message.count, message.run)


def _table_stats(message: pb.TableCacheStats) -> TableCacheStats:
    return TableCacheStats(
        message.table,
        dict(message.counts),
        message.hit_ratio,
        message.near_places,
        tuple((key_values_from(hot.partition), hot.share) for hot in message.hottest),
        message.vouched,
        message.why_not,
    )


def _findings(message: pb.VerifyCacheResponse) -> CacheFindings:
    return CacheFindings(
        worker=_worker(message.worker),
        sampled=message.sampled,
        done=message.done,
        checked=message.checked,
        lagging=message.lagging,
        beyond=message.beyond,
        bound=_time(message.bound),
        staleness_p50=_time(message.staleness_p50),
        staleness_p95=_time(message.staleness_p95),
        staleness_p99=_time(message.staleness_p99),
        staleness_max=_time(message.staleness_max),
        counter_examples=tuple(
            CounterExample(
                key_from(example.key),
                example.tier,
                example.cached_version,
                example.stored_version,
                _time(example.staleness),
            )
            for example in message.counter_examples
        ),
    )


def _time(message: Duration) -> timedelta:
    return timedelta(microseconds=duration_us(message))
