"""The shared tier as one table sees it: typed entries, and a pause when it does not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from taulu.cache.entry import Entry
from taulu.cache.entry_codec import EntryCodec
from taulu.cache.near import Place
from taulu.cache.stats import CacheStats
from taulu.model.clock import Clock
from taulu.model.errors import Corrupt, TauluError, Unavailable
from taulu.spi.shared_cache import Answer, Ask, Fill, Hit, Leased, SharedTier

_log = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")

PAUSE_S = 0.5
"""How long the tier is left alone after it failed, so that it costs no reader its timeout."""
CALL_S_MAX = 0.5
"""How long one call of the tier may take."""


@dataclass(slots=True)
class Breaker:
    """Whether the tier is worth asking; one for all tables of a worker."""

    clock: Clock
    closed_until_s: float = float("-inf")

    async def call(self, work: Awaitable[ResultT]) -> ResultT:
        """Ask the tier within `CALL_S_MAX`.

        Raises:
            Unavailable: It did not answer, for whatever reason.
        """
        try:
            async with asyncio.timeout(CALL_S_MAX):
                return await work
        except (TauluError, TimeoutError) as error:
            self.closed_until_s = self.clock.monotonic() + PAUSE_S
            _log.warning("the shared cache does not answer: %r", error)
            raise Unavailable("the shared cache does not answer") from error

    @property
    def is_open(self) -> bool:
        """Whether the tier may be asked now."""
        return self.clock.monotonic() >= self.closed_until_s


@dataclass(frozen=True, slots=True)
class Shared:
    """One table's part of the shared tier. Reading it never fails: it may just know nothing.

    Gateways whose YAML differs, as while it is rolled out, share the places of a table, so that
    each drops what all have, but not the variants in them: an entry is read by those alone who
    would have made the same.
    """

    table: str
    tier: SharedTier
    codec: EntryCodec
    breaker: Breaker
    stats: CacheStats
    lease_us: int

    async def get(self, asks: Sequence[Ask]) -> list[Entry | Answer | None]:
        """Return an entry, a lease or `Busy` for each ask; None where the tier knows nothing."""
        if not self.breaker.is_open:
            return [None] * len(asks)
        mine = [replace(ask, variant=self._mine(ask.variant)) for ask in asks]
        try:
            answers = await self.breaker.call(self.tier.get(self.table, mine, self.lease_us))
        except Unavailable:
            self.stats.tier_errors += 1
            return [None] * len(asks)
        return [self._read(answer) for answer in answers]

    def _read(self, answer: Answer) -> Entry | Answer | None:
        if not isinstance(answer, Hit):
            return answer
        try:
            return self.codec.decode(answer.entry)
        except Corrupt as error:
            self.stats.tier_errors += 1
            _log.error("%s", error)
            return None

    async def settle(self, leases: Sequence[tuple[Ask, Leased, Entry | None]]) -> None:
        """Fill the tier under each lease, or give the lease back where nothing was loaded."""
        fills = [self._fill(ask, leased, entry) for ask, leased, entry in leases if entry]
        failed = [
            (ask.place, self._mine(ask.variant), lease.lease)
            for ask, lease, got in leases
            if not got
        ]
        try:
            if fills:
                kept = await self.breaker.call(self.tier.fill(self.table, fills))
                self.stats.fenced += kept.count(False)
            if failed:
                await self.breaker.call(self.tier.release(self.table, failed))
        except Unavailable:
            self.stats.tier_errors += 1

    def _mine(self, variant: bytes) -> bytes:
        return self.codec.shape + variant

    def _fill(self, ask: Ask, leased: Leased, entry: Entry) -> Fill:
        left_s = self.codec.useful_s(entry)
        return Fill(
            ask.place,
            self._mine(ask.variant),
            leased.lease,
            entry.as_of_us,
            entry.version,
            self.codec.encode(entry),
            max(1, int(left_s * 1e6)),
        )

    async def drop(self, places: Sequence[Place]) -> None:
        """Drop places, and every lease in them.

        Raises:
            Unavailable: It is not sure that they are gone. The breaker does not spare a drop:
                it is tried each time, for what it leaves behind would be served.
        """
        try:
            await self.breaker.call(self.tier.drop(self.table, [place.key for place in places]))
        except Unavailable:
            self.stats.tier_errors += 1
            raise
