"""A table whose rows the client keeps, so that reading one again costs no call."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from taulu.cache.stats import CacheStats
from taulu.model.consistency import Facts
from taulu.model.errors import TauluError
from taulu.model.result import Absent, Failed
from taulu.model.row import Key, Row
from taulu.model.value import Value
from taulu_client.cache_feed import Feed
from taulu_client.cache_plan import CachePlan
from taulu_client.items import Item
from taulu_client.row_cache import RowCache, Want
from taulu_client.row_fetch import Fetched, fetch_rows
from taulu_client.row_types import RowType
from taulu_client.sender import Sender
from taulu_client.shape import KeyLike, Shape
from taulu_client.table import ConsistencyLike, Table, consistency_of

RowT = TypeVar("RowT")

READY_S_MAX = 1.0
"""How long the first read waits for the stream of news, which later reads live on."""


class Caches:
    """The caches of one client, one for each table, fed by one stream."""

    def __init__(self, sender: Sender, feed: Feed) -> None:
        self._sender = sender
        self._feed = feed
        self._caches: dict[str, RowCache] = {}
        self._opening = asyncio.Lock()

    def find(self, table: str) -> RowCache | None:
        """Return the cache of a table that was read already."""
        return self._caches.get(table)

    async def open(self, table: str, bytes_max: int) -> RowCache:
        """Return the cache of a table, fed with news if they can be had.

        Raises:
            Unsupported: A client cannot cache this table.
        """
        async with self._opening:
            found = self._caches.get(table)
            if found is not None:
                return found
            plan = CachePlan((await self._sender.shape(table)).info)
            plan.check()
            cache = RowCache(plan, self._feed, bytes_max)
            self._feed.add(table, cache)
            await self._feed.wait(table, READY_S_MAX)
            self._sender.listeners[table] = cache.wrote
            self._caches[table] = cache
            return cache

    async def close(self) -> None:
        """End the stream and all loads."""
        await self._feed.close()
        for cache in self._caches.values():
            cache.close()


class CachedTable(Table[RowT]):
    """A `kv` table with a cache in this process; made by `Client.cached_table`.

    Reads at EVENTUAL, BOUNDED_STALENESS and SESSION cost no call where the table's policy
    allows; those at QUORUM and LINEARIZABLE always ask the gateway. A write drops the row
    before it returns.
    """

    def __init__(
        self, name: str, sender: Sender, rows: RowType[RowT], caches: Caches, bytes_max: int
    ) -> None:
        super().__init__(name, sender, rows)
        self._caches = caches
        self._bytes_max = bytes_max

    @property
    def stats(self) -> CacheStats:
        """What the cache did since the client began; `near_hits` are reads without a call."""
        cache = self._caches.find(self.name)
        return CacheStats() if cache is None else cache.stats

    async def batch_get(
        self,
        keys: Sequence[KeyLike],
        *,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
    ) -> list[Item[RowT] | TauluError | None]:
        """Read any number of rows; one outcome per key, in order: found, None or an error."""
        cache = self._caches.find(self.name) or await self._caches.open(self.name, self._bytes_max)
        plan = cache.plan
        wanted = plan.filled(self._sender.consistency(consistency_of(consistency)))
        wants = self._wants(plan, keys) if plan.serves(wanted, columns) else None
        if wants is None:
            cache.stats.passes += len(keys)
            return await super().batch_get(keys, columns=columns, consistency=consistency)
        shape = plan.shape

        async def load(missing: Sequence[Key]) -> list[Fetched | Failed]:
            return await fetch_rows(self._sender, shape, missing, plan.policy.columns, wanted)

        served = await cache.read(wants, wanted, load)
        return [
            got if isinstance(got, TauluError) else self._cut(shape, got.value, got.facts, columns)
            for got in served
        ]

    def _wants(self, plan: CachePlan, keys: Sequence[KeyLike]) -> list[Want] | None:
        """Return where the rows are kept; None when a key is none, for the gateway to refuse."""
        wants: list[Want] = []
        for given in keys:
            key = plan.shape.key(given)
            place = plan.place(key.partition)
            if place is None:
                return None
            wants.append(Want(place, key))
        return wants

    def _cut(
        self, shape: Shape, value: Row | Absent, facts: Facts, columns: Sequence[str]
    ) -> Item[RowT] | None:
        """Return an item of the columns that were asked for, with nothing in it that is kept."""
        if isinstance(value, Absent):
            return None
        names = columns or value.columns
        own = {name: _own(value.columns[name]) for name in names if name in value.columns}
        return self._item(shape, replace(value, columns=own), facts)


def _own(value: Value) -> Value:
    """Return a value that a caller may change without changing what is kept."""
    is_plain = value is None or isinstance(value, str | int | float | bytes)
    return value if is_plain else copy.deepcopy(value)
