"""Comparing what a cache would serve with what the store holds, while both are in use.

A copy that differs from the store is not wrong: it may be as old as the table's bound. So each
that differs is watched until it is served no more, and its *staleness* is the time from when
the store was seen to hold something else. A copy that outlives the bound breaks the contract.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from taulu.cache.entry import Entry
from taulu.cache.near import Place
from taulu.cache.table_cache import TableCache
from taulu.codec import KeyCodec, RowCodec
from taulu.model.consistency import Consistency, Level
from taulu.model.errors import TauluError
from taulu.model.result import Absent, RowPage
from taulu.model.row import Key, Row
from taulu.model.value import Value
from taulu.spi.shared_cache import Ask, Leased

SAMPLE_DEFAULT = 1_000
"""Places that are compared when nothing is said."""
SAMPLE_MAX = 100_000
PLACES_AT_ONCE = 50
KEYS_AT_ONCE = 100
"""How much is read from the store with one call."""
LOOK_AGAIN_S = 0.05
"""How often a copy that differs is looked at."""
EXAMPLES_MAX = 20

_ROW = b""

StoreRead = Callable[[Sequence[Key]], Awaitable[Sequence[Row | Absent | TauluError]]]
"""Reads rows from the store at its highest level: one outcome for each key, in order."""


@dataclass(frozen=True, slots=True)
class CounterExample:
    """A copy that was served beyond the bound."""

    key: Key
    tier: str
    """`near` or `shared`."""
    cached_version: int
    """0 when the copy says that there is no row."""
    stored_version: int
    """0 when the store has no row."""
    staleness_us: int


@dataclass(slots=True)
class Findings:
    """What a verification has found so far."""

    sampled: int
    """Places to look at."""
    done: int = 0
    """Places that were looked at."""
    checked: int = 0
    """Copies that would have been served, compared with the store."""
    lagging: int = 0
    beyond: int = 0
    examples: list[CounterExample] = field(default_factory=list[CounterExample])
    _lags_us: list[int] = field(default_factory=list[int])

    def add_lag(self, staleness_us: int) -> None:
        """Note for how long a copy that differed was served."""
        self._lags_us.append(staleness_us)

    def staleness_us(self, share: float) -> int:
        """Return the staleness that a share of all checked copies did not pass."""
        # Copies that agreed with the store have none, and come first.
        at = int(share * (self.checked - 1)) - (self.checked - len(self._lags_us))
        return sorted(self._lags_us)[at] if at >= 0 and self._lags_us else 0


@dataclass(frozen=True, slots=True)
class _Copy:
    """One entry of one tier, as it was found."""

    place: Place
    variant: bytes
    tier: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A copy that differs from the store, and since when that is known."""

    copy: _Copy
    key: Key
    cached: Row | Absent
    stored: Row | Absent
    seen_s: float


@dataclass(slots=True)
class Verification:
    """Compares one table's copies in this worker, and in the shared tier, with the store."""

    cache: TableCache
    keys: KeyCodec
    rows: RowCodec
    read: StoreRead
    choose: random.Random = field(default_factory=random.Random)
    _suspects: list[_Suspect] = field(default_factory=list[_Suspect])

    async def run(self, places_max: int) -> AsyncGenerator[Findings]:
        """Yield the findings so far, after each batch, and at the end with all that differed.

        Takes up to the table's bound longer than its reads when something differs.

        Raises:
            TauluError: The store cannot be read.
        """
        places = self._sample(places_max)
        findings = Findings(len(places))
        for at in range(0, len(places), PLACES_AT_ONCE):
            part = places[at : at + PLACES_AT_ONCE]
            await self._compare(part, findings)
            await self._look_again(findings)
            findings.done += len(part)
            yield findings
        while self._suspects:
            await asyncio.sleep(LOOK_AGAIN_S)
            await self._look_again(findings)
        yield findings

    def _sample(self, places_max: int) -> list[Place]:
        room, name = self.cache.loads.room, self.cache.table.full_name
        if self.cache.loads.is_near:
            return room.near.sample(name, places_max, self.choose)
        # Nobody lists what lies in the shared tier: take what is read most.
        return [place for place, _ in room.tally.hottest(name, places_max)]

    async def _compare(self, places: Sequence[Place], findings: Findings) -> None:
        copies = [
            _Copy(place, variant, "near", entry)
            for place in places
            for variant, entry in self.cache.loads.room.near.variants(place).items()
        ]
        wanted = [(copy.place, copy.variant) for copy in copies]
        if not self.cache.loads.is_near:
            # The row of a kv table; of a wide one it is not known which are there.
            wanted = [(place, _ROW) for place in places]
        copies += await self._shared(wanted)
        live = [copy for copy in copies if self._is_live(copy.entry)]
        shown = [(copy, key, value) for copy in live for key, value in self._shown(copy)]
        keys = list(dict.fromkeys(key for _, key, _ in shown))
        stored: dict[Key, tuple[Row | Absent | TauluError, float]] = {}
        for at in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[at : at + KEYS_AT_ONCE]
            outcomes = await self.read(part)
            seen_s = self.cache.loads.room.clock.monotonic()
            stored |= {key: (got, seen_s) for key, got in zip(part, outcomes, strict=True)}
        for copy, key, value in shown:
            held, seen_s = stored[key]
            if isinstance(held, TauluError):
                continue
            findings.checked += 1
            self.cache.stats.checked += 1
            if not self._is_same(value, held, is_page=isinstance(copy.entry.value, RowPage)):
                findings.lagging += 1
                self._suspects.append(_Suspect(copy, key, value, held, seen_s))

    def _shown(self, copy: _Copy) -> list[tuple[Key, Row | Absent]]:
        """Return the rows that a copy shows; of a page, those that are in it."""
        value = copy.entry.value
        if isinstance(value, RowPage):
            return [(row.key, row) for row in value.rows]
        return [(self.keys.key(copy.place.key, copy.variant), value)]

    def _is_same(self, cached: Row | Absent, stored: Row | Absent, *, is_page: bool) -> bool:
        if isinstance(cached, Absent) or isinstance(stored, Absent):
            return isinstance(cached, Absent) and isinstance(stored, Absent)
        if cached.version != stored.version:
            return False
        held = stored.columns
        if is_page:
            # It may show fewer columns than the row has.
            held = {name: value for name, value in held.items() if name in cached.columns}
        # Bytes decide where values do not: a NaN is not equal to itself.
        return cached.columns == held or self._bytes(cached.columns) == self._bytes(held)

    def _bytes(self, columns: Mapping[str, Value]) -> bytes:
        return self.rows.encode(dict(sorted(columns.items())))

    async def _look_again(self, findings: Findings) -> None:
        """Settle what is served no more, and what has outlived the bound."""
        suspects, self._suspects = self._suspects, []
        shared = [s for s in suspects if s.copy.tier == "shared"]
        found = await self._shared([(s.copy.place, s.copy.variant) for s in shared])
        in_shared = {(copy.place, copy.variant): copy.entry for copy in found}
        now_s = self.cache.loads.room.clock.monotonic()
        for suspect in suspects:
            copy = suspect.copy
            if copy.tier == "near":
                held = self.cache.loads.room.near.get(copy.place, copy.variant)
            else:
                held = in_shared.get((copy.place, copy.variant))
            is_there = held is not None and held.as_of_us == copy.entry.as_of_us
            lag_us = int((now_s - suspect.seen_s) * 1e6)
            if is_there and self._is_live(copy.entry):
                if lag_us <= self.cache.policy.staleness_us:
                    self._suspects.append(suspect)
                    continue
                self._condemn(suspect, lag_us, findings)
            findings.add_lag(lag_us)
            self.cache.stats.staleness_us_max = max(self.cache.stats.staleness_us_max, lag_us)

    def _condemn(self, suspect: _Suspect, lag_us: int, findings: Findings) -> None:
        findings.beyond += 1
        self.cache.stats.beyond += 1
        if len(findings.examples) < EXAMPLES_MAX:
            findings.examples.append(
                CounterExample(
                    suspect.key,
                    suspect.copy.tier,
                    _version(suspect.cached),
                    _version(suspect.stored),
                    lag_us,
                )
            )

    async def _shared(self, wanted: Sequence[tuple[Place, bytes]]) -> list[_Copy]:
        """Return what the shared tier has of these, whatever its age."""
        shared = self.cache.loads.shared
        if shared is None or not wanted:
            return []
        asks = [Ask(place.key, variant, 0) for place, variant in dict.fromkeys(wanted)]
        answers = await shared.get(asks)
        leases = [
            (ask, answer, None)
            for ask, answer in zip(asks, answers, strict=True)
            if isinstance(answer, Leased)
        ]
        if leases:
            await shared.settle(leases)
        return [
            _Copy(Place(self.cache.table.full_name, ask.place), ask.variant, "shared", answer)
            for ask, answer in zip(asks, answers, strict=True)
            if isinstance(answer, Entry)
        ]

    def _is_live(self, entry: Entry) -> bool:
        """Whether an EVENTUAL reader would be served an entry now."""
        clock = self.cache.loads.room.clock
        demand = self.cache.demand(Consistency(Level.EVENTUAL))
        return demand.met_by(entry, clock.monotonic(), clock.now_us())


def _version(value: Row | Absent) -> int:
    return value.version if isinstance(value, Row) else 0
