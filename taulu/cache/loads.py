"""Loading entries: from the shared tier, or from the store under a lease, in one batch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from taulu.cache.demand import Demand
from taulu.cache.entry import Cached, Entry
from taulu.cache.entry_codec import EntryCodec
from taulu.cache.flights import Flight, Landed
from taulu.cache.room import CacheRoom
from taulu.cache.shared import Shared
from taulu.cache.stats import CacheStats
from taulu.cache.want import Want, What
from taulu.model.errors import DeadlineExceeded, Internal, TauluError
from taulu.model.result import RowPage
from taulu.model.row import Row
from taulu.model.table import CachePolicy
from taulu.spi.shared_cache import Ask, Busy, Leased

BUSY_FIRST_S = 0.01
BUSY_S_MAX = 0.16
"""How long to wait before asking again for what another gateway loads: doubled each time."""


@dataclass(slots=True)
class _Load:
    """One entry on its way."""

    want: Want
    flight: Flight
    lease: Leased | None = None


@dataclass(slots=True)
class Loads:
    """The loads of one table in one worker."""

    room: CacheRoom
    policy: CachePolicy
    codec: EntryCodec
    from_store: Callable[[Sequence[What]], Awaitable[Sequence[Cached | TauluError]]]
    """Reads the store at QUORUM: one outcome for each, in order."""
    shared: Shared | None
    stats: CacheStats
    choose: random.Random = field(default_factory=random.Random)

    @property
    def is_near(self) -> bool:
        """Whether entries are kept in the near cache."""
        return "near" in self.policy.tiers

    def begin(
        self, wants: Sequence[Want], demand: Demand, *, is_alone: bool = False
    ) -> list[Flight]:
        """Begin loading entries, as one batch, and return a flight for each want, in order.

        Args:
            wants: What to load; a want that stands twice is loaded once.
            demand: How fresh an entry of the shared tier must be.
            is_alone: Whether to go to the store without asking the shared tier.
        """
        loads: dict[tuple[object, bytes], _Load] = {}
        now_s = self.room.clock.monotonic()
        for want in wants:
            key = (want.place, want.variant)
            if key not in loads:
                flight = self.room.flights.begin(want.place, want.variant, now_s)
                loads[key] = _Load(want, flight)
        if loads:
            self.room.run(self._run(list(loads.values()), demand, is_alone=is_alone))
        return [loads[want.place, want.variant].flight for want in wants]

    async def _run(self, loads: list[_Load], demand: Demand, *, is_alone: bool) -> None:
        try:
            async with asyncio.timeout(self.room.options.load_timeout_s):
                busy = loads if is_alone else await self._ask(loads, demand)
                wait_s, give_up_s = BUSY_FIRST_S, self.room.clock.monotonic()
                give_up_s += self.room.options.lease_s
                while busy and not is_alone and self.room.clock.monotonic() < give_up_s:
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, BUSY_S_MAX)
                    busy = await self._ask(busy, demand)
                await self._load(busy)
        except TimeoutError:
            late = DeadlineExceeded(
                f"{self.codec.table.full_name} could not be read into the cache within "
                f"{self.room.options.load_timeout_s:g} s (cache.load_timeout); send again"
            )
            self._fail(loads, late)
        except TauluError as error:
            self._fail(loads, error)
        finally:
            # For whatever else ends this: nobody may wait for ever.
            self._fail(loads, Internal("a load of the cache ended early"))

    def _fail(self, loads: Sequence[_Load], error: TauluError) -> None:
        for load in loads:
            if not load.flight.done.done():
                self.room.flights.end(load.flight, error)

    async def _ask(self, loads: Sequence[_Load], demand: Demand) -> list[_Load]:
        """Ask the shared tier, load what it gave leases for, and return what others load."""
        if self.shared is None:
            await self._load(loads)
            return []
        answers = await self.shared.get([self._ask_of(load, demand) for load in loads])
        now_s, now_us = self.room.clock.monotonic(), self.room.clock.now_us()
        to_load: list[_Load] = []
        busy: list[_Load] = []
        too_old: list[_Load] = []
        for load, answer in zip(loads, answers, strict=True):
            if isinstance(answer, Entry) and demand.met_by(answer, now_s, now_us):
                self._land(load, Landed(answer, is_from_store=False))
            elif isinstance(answer, Busy):
                busy.append(load)
            elif isinstance(answer, Entry) and demand.session_version:
                too_old.append(load)
            else:
                load.lease = answer if isinstance(answer, Leased) else None
                to_load.append(load)
        await self._load(to_load)
        if too_old:
            # By version they would do, but not by the bound: ask for younger ones, or a lease.
            busy += await self._ask(too_old, replace(demand, session_version=0))
        return busy

    def _ask_of(self, load: _Load, demand: Demand) -> Ask:
        clock = self.room.clock
        behind_us = int((clock.monotonic() - demand.began_s_min) * 1e6)
        skew_us = int(self.room.options.clock_skew_s * 1e6)
        as_of_us = clock.now_us() - behind_us + skew_us
        as_of_us = max(as_of_us, demand.session_us)
        version = demand.session_version or None
        return Ask(load.want.place.key, load.want.variant, as_of_us, version)

    async def _load(self, loads: Sequence[_Load]) -> None:
        """Read the store, and land what came."""
        if not loads:
            return
        self.stats.loads += len(loads)
        outcomes: Sequence[Cached | TauluError]
        clock = self.room.clock
        try:
            async with self.room.gate:
                began_s, as_of_us = clock.monotonic(), clock.now_us()
                outcomes = await self.from_store([load.want.what for load in loads])
        except TauluError as error:
            outcomes = [error] * len(loads)
            began_s, as_of_us = clock.monotonic(), clock.now_us()
        settled: list[tuple[Ask, Leased, Entry | None]] = []
        for load, outcome in zip(loads, outcomes, strict=True):
            entry: Entry | None = None
            if isinstance(outcome, TauluError):
                self.room.flights.end(load.flight, outcome)
            else:
                entry = self.entry(outcome, began_s, as_of_us)
                self._land(load, Landed(entry, is_from_store=True))
            if load.lease is not None:
                ask = Ask(load.want.place.key, load.want.variant, 0)
                keep = entry is not None and entry.keep_until_s > began_s
                is_good = keep and not load.flight.is_fenced
                settled.append((ask, load.lease, entry if is_good else None))
        if settled and self.shared is not None:
            await self.shared.settle(settled)

    def _land(self, load: _Load, landed: Landed) -> None:
        flight, entry = load.flight, landed.entry
        if not landed.is_from_store:
            self.stats.shared_hits += 1
        if flight.is_fenced:
            self.stats.fenced += 1
        elif self.is_near and entry.keep_until_s > self.room.clock.monotonic():
            self.room.near.put(flight.place, flight.variant, entry)
        self.room.flights.end(flight, landed)

    def entry(self, value: Cached, began_s: float, as_of_us: int) -> Entry:
        """Return the entry of what the store held when a read, or a whole write, began."""
        rows = value.rows if isinstance(value, RowPage) else (value,)
        found = [row for row in rows if isinstance(row, Row)]
        ttl_us = self.policy.ttl_us if found else self.policy.negative_ttl_us
        ttl_us -= int(ttl_us * self.policy.jitter * self.choose.random())
        return Entry(
            value=value,
            version=max((row.version for row in found), default=0),
            as_of_us=as_of_us,
            landed_us=self.room.clock.now_us(),
            began_s=began_s,
            keep_until_s=began_s + ttl_us / 1e6,
            data_bytes=sum(self.codec.row_bytes(row) for row in found),
        )
