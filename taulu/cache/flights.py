"""Loads under way: one for each entry, however many readers wait for it, and fenced by writes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from taulu.cache.entry import Entry
from taulu.cache.near import Place
from taulu.model.errors import TauluError


@dataclass(frozen=True, slots=True)
class Landed:
    """What a load brought."""

    entry: Entry
    is_from_store: bool
    """Whether the store was read for this load; else the shared tier had it."""


@dataclass(slots=True, eq=False)
class Flight:
    """One load of one entry, from its begin to its landing."""

    place: Place
    variant: bytes
    began_s: float
    done: asyncio.Future[Landed | TauluError]
    is_fenced: bool = False
    """Whether a write overtook it, so that what it brings may serve only those who wait for
    it already, and fill nothing."""


@dataclass(slots=True)
class Flights:
    """All loads that one worker has under way, by place."""

    _by_place: dict[Place, list[Flight]] = field(default_factory=dict[Place, list[Flight]])
    overhearing: list[set[Place]] = field(default_factory=list[set[Place]])
    """Each is told every place that is fenced, by loads that do not know theirs beforehand."""

    def find(self, place: Place, variant: bytes) -> Flight | None:
        """Return the load of an entry that a reader may still join."""
        for flight in reversed(self._by_place.get(place, ())):
            if flight.variant == variant:
                return flight
        return None

    def begin(self, place: Place, variant: bytes, began_s: float) -> Flight:
        """Note that a load begins."""
        done = asyncio.get_running_loop().create_future()
        flight = Flight(place, variant, began_s, done)
        self._by_place.setdefault(place, []).append(flight)
        return flight

    def end_write(self, ticket: Flight) -> bool:
        """Forget a write's ticket, and return whether no other write overtook it."""
        self._forget(ticket)
        return not ticket.is_fenced

    def end(self, flight: Flight, what: Landed | TauluError) -> None:
        """Tell all who wait what a load brought."""
        self._forget(flight)
        if not flight.done.done():
            flight.done.set_result(what)

    def fence(self, place: Place) -> None:
        """Let no load that is under way for a place fill a cache, or be joined."""
        for flight in self._by_place.pop(place, ()):
            flight.is_fenced = True
        for fenced in self.overhearing:
            fenced.add(place)

    def fence_all(self) -> None:
        """Fence the loads of all places."""
        for place in list(self._by_place):
            self.fence(place)

    def _forget(self, flight: Flight) -> None:
        flights = self._by_place.get(flight.place)
        if flights is None or flight not in flights:
            return
        flights.remove(flight)
        if not flights:
            del self._by_place[flight.place]

    def __len__(self) -> int:
        """Return for how many places loads are under way."""
        return len(self._by_place)
