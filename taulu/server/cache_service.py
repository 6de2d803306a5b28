"""`taulu.v1.CacheService`: news for clients that cache, verification, and counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from taulu.cache import CacheRoom, TableCache
from taulu.cache.near import Place
from taulu.cache.verification import SAMPLE_DEFAULT, SAMPLE_MAX, Findings, StoreRead, Verification
from taulu.codec import RowCodec
from taulu.gateway import Binding, Gateway
from taulu.model.clock import Clock
from taulu.model.consistency import Consistency
from taulu.model.errors import InvalidArgument, LimitExceeded, Overloaded, TauluError, Unsupported
from taulu.model.operation import GetRows
from taulu.model.result import Absent, Failed
from taulu.model.row import Key, Row
from taulu.policy.caching import Caching
from taulu.server import cache_counts
from taulu.server.method import Call, Method
from taulu.spi.adapter import Environment
from taulu.spi.context import Context
from taulu.v1 import cache_pb2 as pb
from taulu.wire.values import duration_message, key_message

SERVICE = "taulu.v1.CacheService"
BEAT_S = 0.5
"""How often a client that watches hears how far all news have come, if there is none."""
REST_S = 0.0002
"""How long a client's stream rests after a response, for each client that watches: so all of
them together get so many responses a second and no more, however much is written."""
WATCHERS_MAX = 1_000
"""How many clients may watch one worker at once."""
WATCHED_TABLES_MAX = 200
VERIFICATIONS_MAX = 2
"""How many verifications one worker carries out at once: each reads the store."""
_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class CacheService:
    """Turns requests into questions to this worker's caches."""

    gateway: Gateway
    clock: Clock
    worker: pb.Worker
    verifications: int = 0

    def methods(self) -> list[Method[Any]]:
        """Return the service's methods."""
        return [
            Method(f"/{SERVICE}/Watch", pb.WatchRequest, stream=self.watch),
            Method(f"/{SERVICE}/VerifyCache", pb.VerifyCacheRequest, stream=self.verify_cache),
            Method(
                f"/{SERVICE}/GetCacheStats", pb.GetCacheStatsRequest, unary=self.get_cache_stats
            ),
        ]

    async def watch(self, request: pb.WatchRequest, call: Call) -> AsyncIterator[pb.WatchResponse]:
        """Stream what is written to tables, and how far all such news have come."""
        if not 0 < len(request.tables) <= WATCHED_TABLES_MAX:
            raise InvalidArgument(f"name 1 to {WATCHED_TABLES_MAX} tables to watch")
        caches = {name: self._caching(name).cache for name in request.tables}
        room = self._room()
        if len(room.watchers) >= WATCHERS_MAX:
            raise Overloaded(
                f"this worker already tells {WATCHERS_MAX} clients of writes, its limit; cache "
                "within the bound, and try again later",
                details={"limit": "watchers", "value": str(WATCHERS_MAX)},
                retry_after_s=BEAT_S,
            )
        watcher = room.watchers.add(frozenset(caches))
        try:
            yield self._news(caches, (), missed=False)
            while True:
                call.check_draining()
                places = await watcher.next(BEAT_S)
                # Nothing is awaited from here to the reply: what it vouches for, it has told.
                missed, watcher.has_missed = watcher.has_missed, False
                yield self._news(caches, places, missed=missed)
                # What comes meanwhile goes with the next response.
                await asyncio.sleep(REST_S * len(room.watchers))
        finally:
            room.watchers.remove(watcher)

    def _news(
        self, caches: dict[str, TableCache], places: Sequence[Place], *, missed: bool
    ) -> pb.WatchResponse:
        by_table: dict[str, list[bytes]] = {}
        for place in places:
            by_table.setdefault(place.table, []).append(place.key)
        now_s = self.clock.monotonic()
        return pb.WatchResponse(
            worker=self.worker,
            sent_us=int(now_s * _MICROSECONDS),
            invalidations=[
                pb.Invalidation(table=table, places=keys) for table, keys in by_table.items()
            ],
            missed=missed,
            vouchings=[_vouching(name, cache, now_s) for name, cache in caches.items()],
        )

    async def verify_cache(
        self, request: pb.VerifyCacheRequest, call: Call
    ) -> AsyncIterator[pb.VerifyCacheResponse]:
        """Compare what this worker's caches would serve with the store."""
        places_max = request.sample_size or SAMPLE_DEFAULT
        if not 0 < places_max <= SAMPLE_MAX:
            raise LimitExceeded(
                f"sample_size is {places_max}, but lies between 1 and {SAMPLE_MAX}",
                details={"limit": "sample_size", "value": str(SAMPLE_MAX)},
            )
        binding = self.gateway.binding(request.table)
        caching = self._caching(request.table)
        if self.verifications >= VERIFICATIONS_MAX:
            raise Overloaded(
                f"this worker carries out {VERIFICATIONS_MAX} verifications already, its limit",
                details={"limit": "verifications", "value": str(VERIFICATIONS_MAX)},
                retry_after_s=1.0,
            )
        cache = caching.cache
        read = self._store_read(binding, caching)
        verification = Verification(cache, caching.keys, RowCodec(cache.table), read)
        self.verifications += 1
        try:
            async with aclosing(verification.run(places_max)) as all_findings:
                async for findings in all_findings:
                    yield self._findings(findings, cache)
                    call.check_draining()
        finally:
            self.verifications -= 1

    def _store_read(self, binding: Binding, caching: Caching) -> StoreRead:
        table, policy = caching.table, caching.policy
        room = self._room()
        level = max(binding.adapter.capabilities_of(table).read_levels)

        async def read(keys: Sequence[Key]) -> list[Row | Absent | TauluError]:
            deadline = self.clock.monotonic() + room.options.load_timeout_s
            context = Context(deadline, caller="verify-cache")
            operation = GetRows(table.full_name, tuple(keys), policy.columns, Consistency(level))
            async with room.gate:
                reads = await caching.next(operation, context)
            return [got.error if isinstance(got, Failed) else got for got in reads.outcomes]

        return read

    def _findings(self, findings: Findings, cache: TableCache) -> pb.VerifyCacheResponse:
        return pb.VerifyCacheResponse(
            worker=self.worker,
            sampled=findings.sampled,
            done=findings.done,
            checked=findings.checked,
            lagging=findings.lagging,
            beyond=findings.beyond,
            staleness_p50=duration_message(findings.staleness_us(0.5)),
            staleness_p95=duration_message(findings.staleness_us(0.95)),
            staleness_p99=duration_message(findings.staleness_us(0.99)),
            staleness_max=duration_message(findings.staleness_us(1.0)),
            counter_examples=[
                pb.CounterExample(
                    key=key_message(example.key),
                    tier=example.tier,
                    cached_version=example.cached_version,
                    stored_version=example.stored_version,
                    staleness=duration_message(example.staleness_us),
                )
                for example in findings.examples
            ],
            bound=duration_message(cache.policy.staleness_us),
        )

    async def get_cache_stats(
        self, request: pb.GetCacheStatsRequest, call: Call
    ) -> pb.GetCacheStatsResponse:
        """Count what this worker's caches did."""
        del call
        if request.table:
            cachings = [self._caching(request.table)]
        else:
            cachings = cache_counts.cachings_of(self.gateway)
        return cache_counts.response(self.worker, self.gateway.room, cachings)

    def _room(self) -> CacheRoom:
        room = self.gateway.room
        if room is None:
            raise Unsupported("no table of this gateway is cached")
        return room

    def _caching(self, table: str) -> Caching:
        cached = self.gateway.binding(table).cached
        if cached is None:
            raise Unsupported(
                f"{table} is not cached; its YAML has no `cache` block",
                details={"table": table},
            )
        return cached.caching


def worker_message(environment: Environment, run: int) -> pb.Worker:
    """Return which process this is."""
    return pb.Worker(
        server_id=environment.server_id,
        number=environment.worker,
        count=environment.workers,
        run=run,
    )


def _vouching(name: str, cache: TableCache, now_s: float) -> pb.Vouching:
    trust = cache.trust()
    until_s = min(trust.until_s, now_s)
    if trust.since_s == float("inf") or until_s == float("-inf"):
        return pb.Vouching(table=name)
    # Where nothing can be missed, all that this worker ever read counts.
    since_us = int(max(trust.since_s, 0.0) * _MICROSECONDS)
    return pb.Vouching(
        table=name, vouched=True, since_us=since_us, until_us=int(until_s * _MICROSECONDS)
    )
