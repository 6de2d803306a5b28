"""The shared cache tier in one process: the oracle of the tests, and a part of simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from taulu.model import Clock, Unavailable
from taulu.spi import Answer, Ask, Busy, Fill, Hit, Leased


@dataclass(frozen=True, slots=True)
class _Entry:
    as_of_us: int
    version: int
    end_us: int
    entry: bytes

    def serves(self, ask: Ask) -> bool:
        """Return whether it is as fresh as asked, by one measure or the other."""
        if self.as_of_us >= ask.as_of_us_min:
            return True
        return ask.version_min is not None and self.version >= ask.version_min


@dataclass(frozen=True, slots=True)
class _Lease:
    name: str
    end_us: int


@dataclass(slots=True)
class _Place:
    entries: dict[bytes, _Entry] = field(default_factory=dict[bytes, _Entry])
    leases: dict[bytes, _Lease] = field(default_factory=dict[bytes, _Lease])


class MemoryTier:
    """A `SharedTier` in dictionaries. Each call is one step of the event loop, so it is atomic.

    It keeps everything until it is dropped, also what has expired: it is meant for tests.
    """

    def __init__(self, clock: Clock) -> None:
        self.is_up = True
        """Set it to False, and every method raises `Unavailable`."""
        self._clock = clock
        self._places: dict[tuple[str, bytes], _Place] = {}
        self._leases_given = 0

    async def get(self, table: str, asks: Sequence[Ask], lease_us: int) -> list[Answer]:
        """See `SharedTier.get`."""
        now_us = self._now_us()
        return [self._answer(table, ask, now_us, lease_us) for ask in asks]

    async def fill(self, table: str, fills: Sequence[Fill]) -> list[bool]:
        """See `SharedTier.fill`."""
        now_us = self._now_us()
        return [self._keep(table, fill, now_us) for fill in fills]

    async def release(self, table: str, leases: Sequence[tuple[bytes, bytes, str]]) -> None:
        """See `SharedTier.release`."""
        self._now_us()
        for place, variant, lease in leases:
            held = self._at(table, place).leases
            if variant in held and held[variant].name == lease:
                del held[variant]

    async def drop(self, table: str, places: Sequence[bytes]) -> None:
        """See `SharedTier.drop`."""
        self._now_us()
        for place in places:
            self._places.pop((table, place), None)

    def forget(self) -> None:
        """Lose everything, as a tier may at any time."""
        self._places.clear()

    def _now_us(self) -> int:
        if not self.is_up:
            raise Unavailable("the shared cache in memory is switched off; switch it on again")
        return self._clock.now_us()

    def _at(self, table: str, place: bytes) -> _Place:
        return self._places.setdefault((table, place), _Place())

    def _answer(self, table: str, ask: Ask, now_us: int, lease_us: int) -> Answer:
        place = self._at(table, ask.place)
        entry = place.entries.get(ask.variant)
        if entry is not None and entry.end_us > now_us and entry.serves(ask):
            return Hit(entry.entry)
        lease = place.leases.get(ask.variant)
        if lease is not None and lease.end_us > now_us:
            return Busy()
        self._leases_given += 1
        name = str(self._leases_given)
        place.leases[ask.variant] = _Lease(name, now_us + lease_us)
        return Leased(name)

    def _keep(self, table: str, fill: Fill, now_us: int) -> bool:
        place = self._at(table, fill.place)
        lease = place.leases.get(fill.variant)
        if lease is None or lease.name != fill.lease or lease.end_us <= now_us:
            return False
        del place.leases[fill.variant]
        place.entries[fill.variant] = _Entry(
            fill.as_of_us, fill.version, now_us + fill.ttl_us, fill.entry
        )
        return True
