from __future__ import annotations

import random

from taulu.cache.entry import Entry
from taulu.cache.near import VARIANTS_MAX, NearCache, Place
from taulu.model import Absent

PLACE = Place("shop.orders", b"ada")


def entry(began_s: float = 1.0, data_bytes: int = 100) -> Entry:
    return Entry(Absent(), 0, 0, 0, began_s, 100.0, data_bytes)


def test_what_is_put_is_found_under_its_variant() -> None:
    near = NearCache(1_000_000)
    near.put(PLACE, b"a", entry(1.0))
    near.put(PLACE, b"b", entry(2.0))
    assert near.get(PLACE, b"a") == entry(1.0)
    assert near.get(PLACE, b"b") == entry(2.0)
    assert near.get(PLACE, b"c") is None
    assert near.get(Place("shop.other", b"ada"), b"a") is None


def test_a_drop_takes_every_variant() -> None:
    near = NearCache(1_000_000)
    near.put(PLACE, b"a", entry())
    near.put(PLACE, b"b", entry())
    assert near.drop(PLACE)
    assert not near.drop(PLACE)
    assert near.get(PLACE, b"a") is None
    assert near.get(PLACE, b"b") is None


def test_a_later_read_is_not_replaced_by_an_earlier_one() -> None:
    near = NearCache(1_000_000)
    near.put(PLACE, b"a", entry(2.0))
    near.put(PLACE, b"a", entry(1.0))
    assert near.get(PLACE, b"a") == entry(2.0)
    near.put(PLACE, b"a", entry(3.0))
    assert near.get(PLACE, b"a") == entry(3.0)


def test_bytes_are_bounded_and_what_is_read_often_stays() -> None:
    near = NearCache(100_000)
    hot = [Place("t.t", f"hot-{n}".encode()) for n in range(20)]
    for place in hot:
        near.put(place, b"", entry())
    for n in range(5_000):
        for place in hot[n % 20 :: 5]:
            near.get(place, b"")
        near.put(Place("t.t", f"cold-{n}".encode()), b"", entry())
    assert near.bytes <= 100_000
    assert 50 < near.places < 200
    assert sum(near.get(place, b"") is not None for place in hot) >= 18


def test_one_place_holds_so_many_variants_and_the_oldest_goes() -> None:
    near = NearCache(10_000_000)
    for n in range(VARIANTS_MAX + 1):
        near.put(PLACE, str(n).encode(), entry())
    assert near.get(PLACE, b"0") is None
    assert len(near.variants(PLACE)) == VARIANTS_MAX


def test_samples_are_different_live_places_of_the_table() -> None:
    near = NearCache(1_000_000)
    places = {Place("t.t", str(n).encode()) for n in range(50)}
    for place in places:
        near.put(place, b"", entry())
    near.put(PLACE, b"", entry())
    near.drop(Place("t.t", b"7"))
    got = near.sample("t.t", 20, random.Random(1))
    assert len(set(got)) == 20
    assert set(got) <= places - {Place("t.t", b"7")}
    assert set(near.sample("t.t", 1_000, random.Random(1))) == places - {Place("t.t", b"7")}
