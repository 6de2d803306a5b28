from __future__ import annotations

import random

from taulu.cache.near import Place
from taulu.cache.tally import ONE_IN, PLACES_MAX, Tally


def test_what_is_read_most_is_found_with_its_share() -> None:
    tally, choose = Tally(), random.Random(3)
    hot = Place("t.t", b"hot")
    for n in range(200 * ONE_IN * 10):
        is_hot = choose.random() < 0.2
        tally.count(hot if is_hot else Place("t.t", str(n).encode()))
    (first, share), *_ = tally.hottest("t.t", 3)
    assert first == hot
    assert 0.15 < share < 0.3
    assert tally.hottest("other.table", 3) == []


def test_space_is_bounded() -> None:
    tally = Tally()
    for n in range(ONE_IN * PLACES_MAX * 3):
        tally.count(Place("t.t", str(n).encode()))
    assert len(tally.hottest("t.t", 10 * PLACES_MAX)) == PLACES_MAX
