"""The hit ratio under a Zipf law, beside that of the rows that are truly the most popular."""

from __future__ import annotations

import random
import sys
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from taulu.cache import CacheOptions
from taulu.gateway.caches import make_caching, open_room
from taulu.model import (
    CachePolicy,
    Column,
    ColumnType,
    Consistency,
    Facts,
    GetRows,
    Key,
    Kind,
    Level,
    Row,
    RowReads,
    Table,
    TypeName,
)
from taulu.spi import Context, Environment
from taulu_memory import MemoryAdapter

ROWS = 1_000_000
SKEW = 0.99
SIZES = (1_000, 10_000, 100_000)
"""How many rows the cache has room for."""
READS_PER_PLACE = 4
READS_MIN, READS_MAX = 100_000, 400_000
NEVER_US = 3_600_000_000

_TABLE = Table(
    "bench",
    "zipf",
    Kind.KV,
    (Column("id", ColumnType(TypeName.INT64)),),
    columns=(Column("text", ColumnType(TypeName.STRING)),),
)
_POLICY = CachePolicy(("near",), NEVER_US, 0, NEVER_US)
_TEXT = "x" * 100


class _Store:
    """Answers every read at once, and counts them."""

    def __init__(self) -> None:
        self.reads = 0

    async def __call__(self, operation: GetRows, context: Context) -> RowReads:
        del context
        self.reads += len(operation.keys)
        rows = tuple(Row(key, {"text": _TEXT}, 1) for key in operation.keys)
        return RowReads(rows, Facts(Level.QUORUM, 1, 1))


async def hit_ratios() -> list[dict[str, object]]:
    """Return how often the cache of each size is hit, and how often the best choice would be."""
    chances = list(accumulate((rank + 1) ** -SKEW for rank in range(ROWS)))
    bytes_each = await _bytes_each()
    return [await _ratio(size, bytes_each, chances) for size in SIZES]


async def _bytes_each() -> float:
    """Measure how much room one row takes."""
    environment = Environment()
    async with open_room(CacheOptions(), None, environment, is_needed=True) as room:
        assert room is not None
        adapter = MemoryAdapter.create({}, environment)
        caching = make_caching(_TABLE, _POLICY, adapter, room, _Store()).caching  # type: ignore[arg-type]
        for row in range(100):
            await caching(_read(row), Context(0.0))
        return room.near.bytes / room.near.places


def _read(row: int) -> GetRows:
    return GetRows(_TABLE.full_name, (Key((row,)),), consistency=Consistency(Level.EVENTUAL))


async def _ratio(size: int, bytes_each: float, chances: Sequence[float]) -> dict[str, object]:
    choose, store, environment = random.Random(size), _Store(), Environment()
    reads = min(max(size * READS_PER_PLACE, READS_MIN), READS_MAX)
    options = CacheOptions(near_bytes=int(size * bytes_each))
    async with open_room(options, None, environment, is_needed=True) as room:
        assert room is not None
        adapter = MemoryAdapter.create({}, environment)
        caching = make_caching(_TABLE, _POLICY, adapter, room, store).caching  # type: ignore[arg-type]
        context = Context(0.0)
        for is_measured in (False, True):
            store.reads = 0
            for at in range(reads):
                row = bisect_left(chances, choose.random() * chances[-1])
                await caching(_read(row), context)
                if at % 50_000 == 0:
                    what = "measured" if is_measured else "warming up"
                    print(f"  room for {size:,}: {at:,} reads, {what}", file=sys.stderr)
        held = room.near.places
    ratio, ideal = 1 - store.reads / reads, chances[size - 1] / chances[-1]
    return {
        "rows": ROWS,
        "zipf": SKEW,
        "room_for_rows": size,
        "held_rows": held,
        "reads": reads,
        "hit_ratio": round(ratio, 4),
        "ideal_hit_ratio": round(ideal, 4),
        "of_ideal": round(ratio / ideal, 4),
        "store_loads": store.reads,
        "ideal_store_loads": round((1 - ideal) * reads),
        "loads_to_ideal": round(store.reads / ((1 - ideal) * reads), 3),
    }
