"""What a hit costs beside a read of the store: calls timed in turn, in one process.

The store is the embedded one, read through the same pipeline; the shared tier is a Redis server
on loopback, or the memory adapter's where no Redis server can be had.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from taulu.cache import CacheOptions
from taulu.cache.shared import PAUSE_S
from taulu.gateway import GatewayOptions, StorageTarget, open_gateway
from taulu.gateway.gateway import Gateway
from taulu.model import (
    CachePolicy,
    Column,
    ColumnType,
    Consistency,
    GetRows,
    IdempotencyToken,
    Key,
    Kind,
    Level,
    Put,
    Source,
    Table,
    TypeName,
    WriteRows,
    WriteUnit,
)
from taulu.spi import Context, Environment
from tests.testbed.redis_servers import Standalone

ROUNDS = 60
TRIES_MAX = 3 * ROUNDS
CALLS = 100
HOUR_US = 3_600_000_000
_STORED = Table(
    "bench",
    "stored",
    Kind.KV,
    (Column("id", ColumnType(TypeName.STRING)),),
    columns=(Column("text", ColumnType(TypeName.STRING)), Column("n", ColumnType(TypeName.INT64))),
    storage="embedded",
)
_NEAR = replace(_STORED, name="near", cache=CachePolicy(("near",), HOUR_US, 0, HOUR_US))
_SHARED = replace(_STORED, name="shared", cache=CachePolicy(("shared",), HOUR_US, 0, HOUR_US))
_TABLES = (_STORED, _NEAR, _SHARED)
_EXPECTED = (Source.PRIMARY, Source.NEAR_CACHE, Source.SHARED_CACHE)
_KEY = Key(("one",))


async def cost_of_hits() -> list[dict[str, object]]:
    """Return the median over rounds of what each kind of read costs."""
    has_redis = shutil.which("redis-server") is not None
    with tempfile.TemporaryDirectory() as folder:
        async with _opened(Path(folder), has_redis=has_redis) as gateway:
            times = await _times(gateway)
    tier = "a Redis server on loopback" if has_redis else "the memory adapter's tier"
    names = ("read of the store", "hit of the near cache", f"hit of the shared tier ({tier})")
    ratios = [
        statistics.median(took / store for took, store in zip(kind, times[0], strict=True))
        for kind in times
    ]
    return [
        {
            "read": name,
            "of_a_store_read": round(ratio, 4),
            "median_us": round(statistics.median(took) * 1e6 / CALLS, 1),
            "rounds": ROUNDS,
            "calls_per_round": CALLS,
        }
        for name, ratio, took in zip(names, ratios, times, strict=True)
    ]


@asynccontextmanager
async def _opened(folder: Path, *, has_redis: bool) -> AsyncGenerator[Gateway]:
    targets = {"embedded": StorageTarget("embedded", {"path": str(folder / "bench.db")})}
    servers = Standalone(folder / "redis") if has_redis else None
    if servers is None:
        targets["tier"] = StorageTarget("memory")
    else:
        targets["tier"] = StorageTarget("redis", servers.start().options)
    options = GatewayOptions(targets, cache=CacheOptions(shared="tier"))
    try:
        async with open_gateway(_TABLES, options, Environment()) as gateway:
            yield gateway
    finally:
        if servers is not None:
            servers.stop()


async def _times(gateway: Gateway) -> list[list[float]]:
    """Time each kind of read in turn; return the seconds of each round by kind."""
    for table in _TABLES:
        put = Put(_KEY, {"text": "x" * 200, "n": 7})
        token = IdempotencyToken(time.time_ns() // 1_000, f"bench-{table.name}")
        write = WriteRows(table.full_name, (WriteUnit((put,), token),))
        await gateway(write, Context(time.monotonic() + 60))
    times: list[list[float]] = [[] for _ in _TABLES]
    for _ in range(TRIES_MAX):
        took = [await _time(gateway, table) for table in _TABLES]
        if [source for _, source in took] != list(_EXPECTED):
            # A busy machine let the tier's server be late: it is left alone for a while.
            await asyncio.sleep(PAUSE_S)
            continue
        for kept, (seconds, _) in zip(times, took, strict=True):
            kept.append(seconds)
        if len(times[0]) == ROUNDS:
            return times
    raise RuntimeError(f"{TRIES_MAX} rounds, and hardly one was served as it should be")


async def _time(gateway: Gateway, table: Table) -> tuple[float, Source | None]:
    """Time some reads; return the seconds, and where all came from, None if not from one place."""
    read, context = _read(table), Context(time.monotonic() + 60)
    await gateway(read, context)
    sources: set[Source] = set()
    begun_s = time.perf_counter()
    for _ in range(CALLS):
        sources.add((await gateway(read, context)).facts.source)
    took_s = time.perf_counter() - begun_s
    return took_s, sources.pop() if len(sources) == 1 else None


def _read(table: Table) -> GetRows:
    return GetRows(table.full_name, (_KEY,), consistency=Consistency(Level.EVENTUAL))
