"""Reading one table through the tiers: near, then shared, then the store, once for all readers."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from taulu.cache.demand import Demand, Trust, demand_of
from taulu.cache.entry import Cached, Entry, session_time_us
from taulu.cache.flights import Flight, Landed
from taulu.cache.loads import Loads
from taulu.cache.stats import CacheStats
from taulu.cache.want import Want
from taulu.model.consistency import Consistency, Level, Source
from taulu.model.errors import TauluError, TransientError, Unavailable
from taulu.model.result import Absent
from taulu.model.row import Key
from taulu.model.table import CachePolicy, Table

ROUNDS_MAX = 3
"""How often a reader waits for loads that others began before it reads the store itself."""
REFRESH_BETA = 1.0
"""How early entries are refreshed; more is earlier. See `_is_due`."""
_ODDS_MAX = 40.0
"""No coin shows more: `random` gives no number nearer to 1 than 2**-53."""


class Served(NamedTuple):
    """What a reader gets for one want."""

    value: Cached | TauluError
    entry: Entry | None
    source: Source
    is_stale: bool = False
    is_read_now: bool = False
    """Whether the store was read for it, at QUORUM, since the reader came."""


@dataclass(slots=True)
class TableCache:
    """The cache of one table in one worker."""

    table: Table
    policy: CachePolicy
    loads: Loads
    trust: Callable[[], Trust]
    """What the channel of this table vouches for now."""
    is_ordered: bool = True
    """Whether the store orders the writes of each row by their versions, whatever clocks say."""
    choose: random.Random = field(default_factory=random.Random)

    @property
    def stats(self) -> CacheStats:
        """What this cache did."""
        return self.loads.stats

    def demand(self, consistency: Consistency, wants: Sequence[Want] = ()) -> Demand:
        """Return what a level asks now of the entries for these wants."""
        by_version = (
            consistency.level is Level.SESSION
            and self.is_ordered
            and all(isinstance(want.what, Key) for want in wants)
        )
        return demand_of(
            consistency,
            self.policy.staleness_us,
            self.trust(),
            self.loads.room.clock,
            self.loads.room.options.clock_skew_s,
            by_version=by_version,
        )

    def session_us(self, version: int, landed_us: int) -> int:
        """Return the time that a session is bound to which has seen this version, read by then.

        Without an order of writes an old version may have come to the store just now.
        """
        if self.is_ordered or not version:
            return session_time_us(version, landed_us)
        return landed_us

    async def read(self, wants: Sequence[Want], consistency: Consistency) -> list[Served]:
        """Return what is served for each want, in order; a failure is a value.

        What comes back meets the level, or is marked stale.
        """
        arrived_s = self.loads.room.clock.monotonic()
        demand = self.demand(consistency, wants)
        trust = self.trust()
        served: list[Served | None] = [self._near(want, demand, trust) for want in wants]
        for _ in range(ROUNDS_MAX):
            missing = [at for at, got in enumerate(served) if got is None]
            if not missing:
                break
            await self._round(wants, served, missing, demand, arrived_s)
        missing = [at for at, got in enumerate(served) if got is None]
        if missing:
            # Every load so far had begun too early: read for these alone.
            alone = self.loads.begin([wants[at] for at in missing], demand, is_alone=True)
            for at, flight in zip(missing, alone, strict=True):
                landed = await asyncio.shield(flight.done)
                served[at] = self._of(flight, landed, arrived_s, is_joined=False)
        return [
            self._rescued(want, got, consistency) for want, got in zip(wants, served, strict=True)
        ]

    def _near(self, want: Want, demand: Demand, trust: Trust) -> Served | None:
        room = self.loads.room
        room.tally.count(want.place)
        if not self.loads.is_near:
            return None
        entry = room.near.get(want.place, want.variant)
        if entry is None:
            return None
        now_s = room.clock.monotonic()
        if not demand.met_by(entry, now_s, room.clock.now_us()):
            return None
        if self._is_due(entry, trust, now_s):
            self._refresh(want)
        self.stats.near_hits += 1
        self.stats.negatives += isinstance(entry.value, Absent)
        return Served(entry.value, entry, Source.NEAR_CACHE)

    def _is_due(self, entry: Entry, trust: Trust, now_s: float) -> bool:
        """Whether an entry that is still good should be loaded anew already.

        The probabilistic early expiration of Vattani, Chierichetti and Lowenstein (2015): the
        nearer the end, and the longer a load takes, the likelier; so one reader among many
        goes first, and none waits at the end.
        """
        bound_s = self.policy.staleness_us / 1e6
        ends_s = entry.keep_until_s
        if entry.began_s < trust.since_s or trust.until_s < now_s - bound_s:
            ends_s = min(ends_s, entry.began_s + bound_s)
        took_s = max((entry.landed_us - entry.as_of_us) / 1e6, 0.001)
        if ends_s - now_s > took_s * REFRESH_BETA * _ODDS_MAX:
            return False
        return now_s - took_s * REFRESH_BETA * math.log(1.0 - self.choose.random()) >= ends_s

    def _refresh(self, want: Want) -> None:
        flights = self.loads.room.flights
        if flights.find(want.place, want.variant) is None and self.loads.room.may_refresh:
            self.stats.refreshes += 1
            self.loads.begin([want], Demand(self.loads.room.clock.monotonic()))

    async def _round(
        self,
        wants: Sequence[Want],
        served: list[Served | None],
        missing: Sequence[int],
        demand: Demand,
        arrived_s: float,
    ) -> None:
        """Wait for the loads of what is missing, beginning those that nobody began."""
        flights: dict[int, tuple[Flight, bool]] = {}
        fresh: list[int] = []
        for at in missing:
            flight = self.loads.room.flights.find(wants[at].place, wants[at].variant)
            if flight is None or flight.began_s < demand.began_s_min:
                fresh.append(at)
            else:
                flights[at] = (flight, True)
        begun = self.loads.begin([wants[at] for at in fresh], demand)
        flights |= {at: (flight, False) for at, flight in zip(fresh, begun, strict=True)}
        room = self.loads.room
        for at, (flight, is_joined) in flights.items():
            landed = await asyncio.shield(flight.done)
            is_ours = not is_joined or _is_read_since(flight, landed, arrived_s)
            if is_joined and isinstance(landed, TauluError):
                continue
            if isinstance(landed, Landed) and not is_ours:
                now_s, now_us = room.clock.monotonic(), room.clock.now_us()
                if not demand.met_by(landed.entry, now_s, now_us):
                    continue
            served[at] = self._of(flight, landed, arrived_s, is_joined=is_joined)

    def _of(
        self, flight: Flight, landed: Landed | TauluError, arrived_s: float, *, is_joined: bool
    ) -> Served:
        if isinstance(landed, TauluError):
            return Served(landed, None, Source.PRIMARY)
        if is_joined:
            self.stats.joins += 1
        source = Source.PRIMARY if landed.is_from_store else Source.SHARED_CACHE
        is_read_now = _is_read_since(flight, landed, arrived_s)
        return Served(landed.entry.value, landed.entry, source, is_read_now=is_read_now)

    def _rescued(self, want: Want, got: Served | None, consistency: Consistency) -> Served:
        """Return what was got, or an old entry for a store that fails, where that is allowed."""
        if got is None:
            lost = Unavailable(
                f"{self.table.full_name} could not be read: its loads were overtaken each time"
            )
            return Served(lost, None, Source.PRIMARY)
        may = self.policy.serve_stale_on_error and consistency.level is Level.EVENTUAL
        if not may or not isinstance(got.value, TransientError):
            return got
        room = self.loads.room
        entry = room.near.get(want.place, want.variant)
        if entry is None or entry.keep_until_s <= room.clock.monotonic():
            return got
        if entry.is_over(room.clock.now_us()):
            return got
        self.stats.stale += 1
        return Served(entry.value, entry, Source.NEAR_CACHE, is_stale=True)


def _is_read_since(flight: Flight, landed: Landed | TauluError, arrived_s: float) -> bool:
    """Whether a load read the store after a reader had come."""
    return isinstance(landed, Landed) and landed.is_from_store and flight.began_s >= arrived_s
