"""The rows of one table that a client keeps, served by the gateway's own rule.

The rule is `taulu.cache.demand`, and docs/adr/0046 states it. What a client adds: an entry's
age is counted back from when its call was *sent*, so that the way back makes nothing fresher;
and what was heard over one stream vouches only for what was read under that stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple, cast

from taulu.cache.demand import demand_of
from taulu.cache.entry import Entry
from taulu.cache.flights import Flight, Flights, Landed
from taulu.cache.near import NearCache, Place
from taulu.cache.stats import CacheStats
from taulu.model.clock import Clock, SystemClock
from taulu.model.consistency import Consistency, Facts, Level, Source
from taulu.model.errors import Internal, TauluError, Unavailable
from taulu.model.operation import DeleteRange, WriteUnit
from taulu.model.result import Absent, Failed
from taulu.model.row import Key, Row
from taulu.wire.values import duration_us
from taulu_client.cache_feed import Feed
from taulu_client.cache_plan import CachePlan
from taulu_client.row_fetch import Fetched
from taulu_client.table_info import TableInfo

_log = logging.getLogger(__name__)

BYTES_MAX = 16 * 1024 * 1024
"""How much a client keeps of one table when nothing is said."""
ROUNDS_MAX = 3
"""How often a reader waits for loads that others began before it loads by itself."""
_ROW = b""
"""The one variant of a place: a kv table has one row in each."""
_NEVER_S = float("-inf")

Load = Callable[[Sequence[Key]], Awaitable[Sequence[Fetched | Failed]]]
"""Asks the gateway for rows: one outcome for each key, in order."""


@dataclass(frozen=True, slots=True)
class Held(Entry):
    """An entry as a client keeps it; `as_of_us` is on the clock of a gateway."""

    watch: int
    """The stream whose news vouch for it; 0 for none."""
    facts: Facts
    """Of the reply that it came with."""


class Want(NamedTuple):
    """A row that is read."""

    place: Place
    key: Key


class Got(NamedTuple):
    """What a reader is given."""

    value: Row | Absent
    facts: Facts


@dataclass(slots=True)
class RowCache:
    """All that one client keeps of one table."""

    plan: CachePlan
    feed: Feed
    bytes_max: int = BYTES_MAX
    clock: Clock = field(default_factory=SystemClock)
    stats: CacheStats = field(default_factory=CacheStats)
    _near: NearCache = field(init=False)
    _flights: Flights = field(default_factory=Flights)
    _running: dict[asyncio.Task[None], None] = field(
        default_factory=dict["asyncio.Task[None]", None]
    )
    """In the order of their begin."""

    def __post_init__(self) -> None:
        self._near = NearCache(self.bytes_max)

    def described(self, info: TableInfo) -> None:
        """Go by what the gateway says of the table now."""
        if info != self.plan.info:
            self.plan = CachePlan(info)
            self.clear()

    def dropped(self, keys: Sequence[bytes]) -> None:
        """Let go of places that were written."""
        for key in keys:
            self._drop(Place(self.plan.info.name, key))

    def wrote(self, units: Sequence[WriteUnit]) -> None:
        """Let go of what this client has, or may have, written."""
        for unit in units:
            for mutation in unit.mutations:
                is_range = isinstance(mutation, DeleteRange)
                partition = mutation.partition if is_range else mutation.key.partition
                place = self.plan.place(partition)
                if place is None:
                    self.clear()
                else:
                    self._drop(place)

    def clear(self) -> None:
        """Let go of everything."""
        self._flights.fence_all()
        self._near = NearCache(self.bytes_max)

    def close(self) -> None:
        """End the loads under way."""
        for task in self._running:
            task.cancel()

    async def read(
        self, wants: Sequence[Want], wanted: Consistency, load: Load
    ) -> list[Got | TauluError]:
        """Return what is served for each want, in order; a failure is a value."""
        arrived_s = self.clock.monotonic()
        served: list[Got | TauluError | None] = [self._hit(want.place, wanted) for want in wants]
        for number in range(ROUNDS_MAX + 1):
            missing = [at for at, got in enumerate(served) if got is None]
            if not missing:
                break
            # At last each loads for itself, if all it could join had begun too early.
            may_join = number < ROUNDS_MAX
            variant = _variant(wanted)
            flights, begun = self._flights_of([wants[at] for at in missing], variant, may_join)
            if begun:
                self._begin(begun, load)
            for at, (flight, is_own) in zip(missing, flights, strict=True):
                landed = await asyncio.shield(flight.done)
                # One that began after this read did brought what this read would have brought.
                is_good = is_own or flight.began_s >= arrived_s
                served[at] = self._landed(landed, wanted, is_good=is_good, is_own=is_own)
        lost = Unavailable("the row could not be read: its loads failed for those who began them")
        return [lost if got is None else got for got in served]

    def _hit(self, place: Place, wanted: Consistency) -> Got | None:
        held = self._near.get(place, _ROW)
        if held is None or not self._meets(cast(Held, held), wanted):
            return None
        self.stats.near_hits += 1
        self.stats.negatives += isinstance(held.value, Absent)
        return self._got(cast(Held, held), wanted)

    def _meets(self, held: Held, wanted: Consistency) -> bool:
        policy = self.plan.policy
        demand = demand_of(
            wanted,
            round(policy.staleness.total_seconds() * 1e6),
            self.feed.trust(self.plan.info.name, held.watch),
            self.clock,
            policy.clock_skew.total_seconds(),
            by_version=self.plan.is_ordered,
        )
        # The end of a row that expires is in `keep_until_s`, on our clock.
        return demand.met_by(held, self.clock.monotonic(), 0)

    def _got(self, held: Held, wanted: Consistency) -> Got:
        facts = replace(
            held.facts,
            level=wanted.level or Level.EVENTUAL,
            version=held.version,
            as_of_us=self._as_of_us(held),
            source=Source.CLIENT_CACHE,
        )
        return Got(cast("Row | Absent", held.value), facts)

    def _as_of_us(self, held: Held) -> int:
        """Return when the store was read, on our wall clock, or an earlier time."""
        age_s = self.clock.monotonic() - held.began_s
        return self.clock.now_us() - int(age_s * 1e6)

    def _flights_of(
        self, wants: Sequence[Want], variant: bytes, may_join: bool
    ) -> tuple[list[tuple[Flight, bool]], list[tuple[Flight, Key]]]:
        """Return a load for each want and whether it is one's own, and those that begin now."""
        flights: list[tuple[Flight, bool]] = []
        begun: list[tuple[Flight, Key]] = []
        for place, key in wants:
            flight = self._flights.find(place, variant) if may_join else None
            is_own = flight is None
            if flight is None:
                flight = self._flights.begin(place, variant, self.clock.monotonic())
                begun.append((flight, key))
            flights.append((flight, is_own))
        return flights, begun

    def _begin(self, begun: Sequence[tuple[Flight, Key]], load: Load) -> None:
        # Beside the reader that began it, for others may wait who are not cut off.
        self.stats.loads += len(begun)
        task = asyncio.create_task(self._load(begun, load, self.feed.number))
        self._running[task] = None
        task.add_done_callback(self._running.pop)

    async def _load(self, begun: Sequence[tuple[Flight, Key]], load: Load, watch: int) -> None:
        failure: TauluError = Unavailable("the client is closed; make another")
        try:
            outcomes = await load([key for _, key in begun])
            for (flight, _), got in zip(begun, outcomes, strict=True):
                self._land(flight, got, watch)
        except TauluError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - those who wait must hear of it, whatever it is
            _log.exception("a load of the cache failed")
            failure = Internal(f"a load of the client's cache failed: {error!r}")
        finally:
            for flight, _ in begun:
                if not flight.done.done():
                    self._flights.end(flight, failure)

    def _land(self, flight: Flight, got: Fetched | Failed, watch: int) -> None:
        if isinstance(got, Failed):
            self._flights.end(flight, got.error)
            return
        held = self._held(got, watch)
        if flight.is_fenced:
            self.stats.fenced += 1
        elif held.keep_until_s > self.clock.monotonic():
            self._near.put(flight.place, _ROW, held)
        self._flights.end(flight, Landed(held, held.facts.source is Source.PRIMARY))

    def _held(self, got: Fetched, watch: int) -> Held:
        policy = self.plan.policy
        row = got.outcome if isinstance(got.outcome, Row) else None
        age_us = duration_us(got.reply.age)
        skew_s = policy.clock_skew.total_seconds() if "shared" in policy.tiers else 0.0
        # At QUORUM and above the store was read since the call came, however long that took.
        is_current = got.facts.level >= Level.QUORUM
        began_s = got.sent_s if is_current else got.sent_s - age_us / 1e6 - skew_s
        # Another worker may not have heard yet what the stream told before this call was sent.
        is_same = got.reply.worker == self.feed.worker or is_current
        return Held(
            value=got.outcome,
            version=0 if row is None else row.version,
            as_of_us=got.reply.as_of_us,
            landed_us=got.reply.as_of_us + age_us,
            began_s=began_s,
            keep_until_s=_keep_until_s(got, policy.ttl if row else policy.negative_ttl, began_s),
            data_bytes=got.message.ByteSize(),
            watch=watch if watch == self.feed.number and is_same else 0,
            facts=got.facts,
        )

    def _landed(
        self, landed: Landed | TauluError, wanted: Consistency, *, is_good: bool, is_own: bool
    ) -> Got | TauluError | None:
        """Return what a load is worth to one reader; None when another load is needed."""
        if isinstance(landed, TauluError):
            return landed if is_own else None
        held = cast(Held, landed.entry)
        if not is_good and not self._meets(held, wanted):
            return None
        self.stats.joins += not is_own
        # What was read before a reader came is as new as the reader asked, and no newer.
        level = held.facts.level if is_good else wanted.level or Level.EVENTUAL
        facts = replace(held.facts, level=level, as_of_us=self._as_of_us(held))
        return Got(cast("Row | Absent", held.value), facts)

    def _drop(self, place: Place) -> None:
        self._flights.fence(place)
        self.stats.drops += self._near.drop(place)


def _keep_until_s(got: Fetched, ttl: timedelta, began_s: float) -> float:
    """Return until when an entry may be kept; the past when it may not be kept at all."""
    facts = got.facts
    is_cached = facts.source in {Source.NEAR_CACHE, Source.SHARED_CACHE}
    # A replica's answer to a weak read may lack writes that were acknowledged before it.
    if facts.is_stale or not (is_cached or facts.level >= Level.QUORUM):
        return _NEVER_S
    until_s = began_s + ttl.total_seconds()
    if isinstance(got.outcome, Row) and got.outcome.expire_us is not None:
        # What is left of the row's own time, as the gateway saw it when it answered.
        answered_us = got.reply.as_of_us + duration_us(got.reply.age)
        until_s = min(until_s, got.sent_s + (got.outcome.expire_us - answered_us) / 1e6)
    return until_s


def _variant(wanted: Consistency) -> bytes:
    """Return what a load must have been asked for to be joined."""
    match wanted.level:
        case Level.EVENTUAL:
            return b""
        case Level.BOUNDED_STALENESS:
            return b"bounded %d" % (wanted.staleness_us_max or 0)
        case _:
            return b"session %d:%d" % (wanted.session_version, wanted.session_us)
