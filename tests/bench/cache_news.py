"""How many writes of a cached table share a round trip of their news, in one worker.

The worker tells the other gateways of each write before it is acknowledged. The server that
carries the news is a Redis on loopback, some milliseconds away through a proxy; the rows are in
the same Redis, reached directly. What many writers get done is compared with what one does, and
with the round trip, in one run.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from taulu.cache import CacheOptions
from taulu.gateway import GatewayOptions, StorageTarget, open_gateway
from taulu.gateway.gateway import Gateway
from taulu.model import (
    CachePolicy,
    Column,
    ColumnType,
    IdempotencyToken,
    Key,
    Kind,
    Level,
    Put,
    Table,
    TypeName,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from tests.testbed.proxy import Proxy
from tests.testbed.redis_servers import HOST, Standalone

WAY_S = 0.002
"""How much longer each way to the carrier of the news is."""
WRITERS = (1, 10, 50, 200)
SECONDS = 4.0
PROBES = 100
_numbers = itertools.count()
_HOUR_US = 3_600_000_000
_STRING = ColumnType(TypeName.STRING)
_TABLES = tuple(
    Table(
        "bench",
        f"written{n}",
        Kind.KV,
        (Column("id", _STRING),),
        columns=(Column("n", ColumnType(TypeName.INT64)),),
        storage="store",
        write_level=Level.QUORUM,
        cache=CachePolicy(("near",), _HOUR_US, 0, _HOUR_US),
    )
    for n in range(4)
)


async def writes_per_round_trip() -> list[dict[str, object]]:
    """Return what some numbers of concurrent writers get done."""
    if shutil.which("redis-server") is None:
        return [{"not measured": "no Redis server can be had"}]
    with tempfile.TemporaryDirectory() as folder:
        async with _opened(Path(folder)) as gateway:
            trip_s = await _round_trip_s(gateway)
            done = [await _done(gateway, writers) for writers in WRITERS]
    return [
        {
            "writers": writers,
            "writes_per_s": round(writes / SECONDS, 1),
            "of_one_writer": round(writes / done[0][0], 2),
            "writes_per_message": round(writes / messages, 2),
            "round_trip_ms": round(trip_s * 1e3, 2),
            "writes_per_round_trip": round(writes / SECONDS * trip_s, 2),
        }
        for writers, (writes, messages) in zip(WRITERS, done, strict=True)
    ]


@asynccontextmanager
async def _opened(folder: Path) -> AsyncGenerator[Gateway]:
    servers = Standalone(folder).start()
    try:
        with Proxy((HOST, servers.server.port)) as proxy:
            targets = {
                "store": StorageTarget("redis", servers.options),
                "news": StorageTarget("redis", {**servers.options, "nodes": [proxy.address]}),
            }
            options = GatewayOptions(targets, cache=CacheOptions(shared="news"))
            async with open_gateway(_TABLES, options, Environment()) as gateway:
                proxy.slow(WAY_S)
                yield gateway
    finally:
        servers.stop()


async def _round_trip_s(gateway: Gateway) -> float:
    """Return how long a call of the carrier takes while nobody writes."""
    assert gateway.room is not None
    assert gateway.room.shared is not None
    took: list[float] = []
    for _ in range(PROBES):
        begun_s = time.perf_counter()
        await gateway.room.shared.carrier.members()
        took.append(time.perf_counter() - begun_s)
    return statistics.median(took)


async def _done(gateway: Gateway, writers: int) -> tuple[int, int]:
    """Let writers write for a time, each one row again and again; count writes and messages."""
    assert gateway.room is not None
    channel = gateway.room.shared_channel
    assert channel is not None
    before = channel._number
    end_s = time.perf_counter() + SECONDS

    async def write(writer: int) -> int:
        table = _TABLES[writer % len(_TABLES)].full_name
        put = Put(Key((f"row {writer}",)), {"n": 0})
        done = 0
        while time.perf_counter() < end_s:
            token = IdempotencyToken(time.time_ns() // 1_000, f"write-{next(_numbers):08}")
            unit = WriteUnit((replace(put, columns={"n": done}),), token)
            context = Context(time.monotonic() + 60)
            (outcome,) = (await gateway(WriteRows(table, (unit,)), context)).outcomes
            assert isinstance(outcome, Written), outcome
            done += 1
        return done

    done = await asyncio.gather(*map(write, range(writers)))
    return sum(done), channel._number - before
