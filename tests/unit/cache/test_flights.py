from __future__ import annotations

from taulu.cache.entry import Entry
from taulu.cache.flights import Flights, Landed
from taulu.cache.near import Place
from taulu.model import Absent, Unavailable

PLACE = Place("shop.orders", b"ada")
LANDED = Landed(Entry(Absent(), 0, 0, 0, 1.0, 100.0, 0), is_from_store=True)


async def test_readers_find_the_latest_load_until_it_ends() -> None:
    flights = Flights()
    flights.begin(PLACE, b"", 1.0)
    later = flights.begin(PLACE, b"", 2.0)
    assert flights.find(PLACE, b"") is later
    assert flights.find(PLACE, b"other") is None
    flights.end(later, LANDED)
    assert later.done.result() is LANDED
    assert flights.find(PLACE, b"") is not later


async def test_a_fenced_load_is_joined_by_nobody_but_ends_for_those_who_wait() -> None:
    flights = Flights()
    flight = flights.begin(PLACE, b"", 1.0)
    other = flights.begin(Place("shop.orders", b"bob"), b"", 1.0)
    flights.fence(PLACE)
    assert flight.is_fenced
    assert not other.is_fenced
    assert flights.find(PLACE, b"") is None
    flights.end(flight, LANDED)
    assert flight.done.result() is LANDED


async def test_a_load_that_begins_after_the_fence_is_not_fenced() -> None:
    flights = Flights()
    flights.fence(PLACE)
    assert not flights.begin(PLACE, b"", 1.0).is_fenced


async def test_a_ticket_of_a_write_tells_whether_another_overtook_it() -> None:
    flights = Flights()
    first = flights.begin(PLACE, b"!", 1.0)
    second = flights.begin(PLACE, b"!", 1.0)
    assert flights.end_write(first)
    flights.fence(PLACE)
    assert not flights.end_write(second)


async def test_a_failed_load_hands_its_error_on() -> None:
    flights = Flights()
    flight = flights.begin(PLACE, b"", 1.0)
    error = Unavailable("gone")
    flights.end(flight, error)
    assert flight.done.result() is error
    assert len(flights) == 0


async def test_loads_that_do_not_know_their_places_overhear_what_is_fenced() -> None:
    flights = Flights()
    heard: set[Place] = set()
    flights.overhearing.append(heard)
    flights.fence(PLACE)
    assert heard == {PLACE}
