from __future__ import annotations

import pytest

from taulu.cache.demand import NO_TRUST, Demand, Trust, demand_of
from taulu.cache.entry import APPLY_US_MAX, Entry, session_time_us
from taulu.model import Absent, Consistency, Key, Level, Row
from tests.unit.policy.parts import DrivenClock

NOW_S = 1_000.0
NOW_US = 2_000_000_000
BOUND_US = 5_000_000


def entry(age_s: float, version: int = 0, keep_s: float = 3_600.0) -> Entry:
    """Return an entry whose read of the store began that long ago, and took 10 ms."""
    as_of_us = NOW_US - int(age_s * 1e6)
    row = Row(Key(("a",)), {}, version) if version else Absent()
    began_s = NOW_S - age_s
    return Entry(row, version, as_of_us, as_of_us + 10_000, began_s, began_s + keep_s, 10)


def demand(consistency: Consistency, trust: Trust = NO_TRUST, skew_s: float = 0.5) -> Demand:
    return demand_of(consistency, BOUND_US, trust, DrivenClock(NOW_US, NOW_S), skew_s)


def is_met(asked: Demand, found: Entry) -> bool:
    return asked.met_by(found, NOW_S, NOW_US)


def test_eventual_reads_take_what_the_bound_allows_and_nothing_older() -> None:
    asked = demand(Consistency(Level.EVENTUAL))
    assert is_met(asked, entry(4.9))
    assert not is_met(asked, entry(5.1))


def test_what_the_channel_vouches_for_is_taken_up_to_its_time_to_live() -> None:
    asked = demand(Consistency(Level.EVENTUAL), Trust(NOW_S - 100, NOW_S - 1))
    assert is_met(asked, entry(99))
    assert not is_met(asked, entry(101))
    assert not is_met(asked, entry(99, keep_s=98))


def test_a_channel_that_fell_silent_vouches_for_nothing() -> None:
    asked = demand(Consistency(Level.EVENTUAL), Trust(NOW_S - 100, NOW_S - 5.1))
    assert not is_met(asked, entry(50))
    assert is_met(asked, entry(4.9))


@pytest.mark.parametrize("trust", [NO_TRUST, Trust(NOW_S - 100, NOW_S)])
def test_bounded_reads_count_from_the_read_of_the_store_whoever_vouches(trust: Trust) -> None:
    asked = demand(Consistency(Level.BOUNDED_STALENESS, 2_000_000), trust)
    assert is_met(asked, entry(1.9))
    assert not is_met(asked, entry(2.1))


def test_a_wide_bound_does_not_undo_the_promise_of_the_table() -> None:
    asked = demand(Consistency(Level.BOUNDED_STALENESS, 60_000_000))
    assert not is_met(asked, entry(5.1))


def test_a_session_takes_entries_read_after_what_it_saw_by_more_than_the_skew() -> None:
    seen_us = NOW_US - 2_000_000
    asked = demand(Consistency(Level.SESSION, session_version=NOW_US, session_us=seen_us))
    assert is_met(asked, entry(1.4))
    assert not is_met(asked, entry(1.6))
    assert not is_met(asked, entry(1.6, version=NOW_US - 1))


def test_a_session_takes_an_older_entry_that_has_the_version_it_saw() -> None:
    asked = demand(Consistency(Level.SESSION, session_version=7, session_us=NOW_US))
    assert is_met(asked, entry(3, version=7))
    assert not is_met(asked, entry(3, version=6))
    assert not is_met(asked, entry(6, version=7))


def test_a_session_token_without_a_time_is_compared_by_its_version() -> None:
    version = NOW_US - 2_000_000
    asked = demand(Consistency(Level.SESSION, session_version=version))
    assert is_met(asked, entry(1.4))
    assert not is_met(asked, entry(1.6))


def test_a_session_that_saw_nothing_reads_as_eventual() -> None:
    assert demand(Consistency(Level.SESSION)) == demand(Consistency(Level.EVENTUAL))


def test_an_expired_row_is_served_by_no_level() -> None:
    row = Row(Key(("a",)), {}, 7, expire_us=NOW_US)
    found = Entry(row, 7, NOW_US, NOW_US, NOW_S, NOW_S + 60, 10)
    assert not is_met(demand(Consistency(Level.EVENTUAL)), found)


def test_what_was_read_of_an_old_row_binds_a_session_to_no_later_time() -> None:
    old = entry(1, version=NOW_US - 10 * APPLY_US_MAX)
    assert session_time_us(old.version, old.landed_us) == old.version + APPLY_US_MAX
    young = entry(1, version=NOW_US)
    assert session_time_us(young.version, young.landed_us) == young.landed_us
    assert session_time_us(0, entry(1).landed_us) == 0


def test_a_version_proves_nothing_where_writes_have_no_order_or_rows_have_neighbours() -> None:
    session = Consistency(Level.SESSION, session_version=50, session_us=NOW_US)
    for by_version in (True, False):
        clock = DrivenClock(NOW_US, NOW_S)
        asked = demand_of(session, BOUND_US, NO_TRUST, clock, 0.5, by_version=by_version)
        assert is_met(asked, entry(1.0, version=50)) is by_version
