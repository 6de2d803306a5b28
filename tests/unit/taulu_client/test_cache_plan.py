from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from taulu.cache.near import Place
from taulu.model import Consistency, Level, Unsupported
from taulu_client import ColumnInfo
from taulu_client.cache_plan import CachePlan
from tests.unit.taulu_client.cache_parts import INFO, POLICY, USERS, without_cache


@pytest.mark.parametrize(
    ("type_name", "good", "bad"),
    [
        ("string", "ada", b"ada"),
        ("string", "ada", "\ud800"),
        ("bytes", b"ada", "ada"),
        ("int64", 1, True),
        ("int64", 1, 2**63),
        ("bool", True, 1),
        ("uuid", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("timestamp", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)),  # noqa: DTZ001
    ],
)
def test_a_key_has_a_place_only_if_it_is_of_its_type(type_name: str, good, bad) -> None:
    column = ColumnInfo("id", type_name, "partition")
    plan = CachePlan(replace(INFO, columns=(column,)))
    place = plan.place((good,))
    assert isinstance(place, Place)
    assert place.table == USERS
    assert plan.place((bad,)) is None


def test_places_are_those_of_the_gateway() -> None:
    assert CachePlan(INFO).place(("ada",)) == Place(USERS, b"ada\0\1")


@pytest.mark.parametrize("level", Level)
def test_only_levels_below_quorum_are_served(level: Level) -> None:
    wanted = Consistency(level, 1 if level is Level.BOUNDED_STALENESS else None)
    assert CachePlan(INFO).serves(wanted, ()) is (level < Level.QUORUM)


def test_the_tables_own_level_and_bound_are_filled_in() -> None:
    plan = CachePlan(
        replace(INFO, read_level=Level.BOUNDED_STALENESS, max_staleness=timedelta(seconds=3))
    )
    assert plan.filled(Consistency()) == Consistency(Level.BOUNDED_STALENESS, 3_000_000)
    asked = Consistency(Level.BOUNDED_STALENESS, 7)
    assert plan.filled(asked) == asked
    unbounded = CachePlan(INFO)
    without = unbounded.filled(Consistency(Level.BOUNDED_STALENESS))
    # The gateway says what is wrong with it.
    assert not unbounded.serves(without, ())


def test_only_columns_that_may_be_cached_are_served() -> None:
    plan = CachePlan(replace(INFO, cache=replace(POLICY, columns=("name",))))
    eventual = Consistency(Level.EVENTUAL)
    assert plan.serves(eventual, ["name"])
    assert not plan.serves(eventual, [])
    assert not plan.serves(eventual, ["name", "other"])


@pytest.mark.parametrize("info", [without_cache(), replace(INFO, kind="wide")])
def test_a_table_that_cannot_be_kept_is_refused(info) -> None:
    with pytest.raises(Unsupported, match=r"client\.table"):
        CachePlan(info).check()


def test_a_table_that_is_cached_no_more_is_served_from_nowhere() -> None:
    assert not CachePlan(without_cache()).serves(Consistency(Level.EVENTUAL), ())
