"""Ranges taken apart, held against comparing rows one by one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taulu.model import Bound, ClusteringRange
from taulu_cassandra.slices import Edge, Slice, behind, is_empty, is_inside, slices_of, without
from tests.unit.taulu_cassandra.parts import layout

KEYS = layout("orders").keys
"""Of `day` down and `name` up."""
ROWS = [(day, name) for day in (2, 1, 0) for name in ("", "a", "b")]
_bounds = st.one_of(
    st.none(),
    st.builds(
        Bound,
        st.one_of(
            st.just(()),
            st.tuples(st.integers(-1, 3)),
            st.tuples(st.integers(-1, 3), st.sampled_from(["", "a", "aa"])),
        ),
        st.booleans(),
    ),
)
_ranges = st.builds(ClusteringRange, _bounds, _bounds)


def _in_slice(row: tuple[int, str], part: Slice) -> bool:
    """Read a slice as CQL does: columns equal, the next one between two edges."""
    depth = len(part.equal)
    if row[:depth] != part.equal:
        return False
    for edge, sign in ((part.low, 1), (part.high, -1)):
        if edge is None:
            continue
        place, at = KEYS.clustering((*part.equal, row[depth])), (*part.equal, edge.value)
        limit = KEYS.clustering(at)
        side = sign * ((place > limit) - (place < limit))
        if side < 0 or (side == 0 and not edge.inclusive):
            return False
    return True


@given(wanted=_ranges)
def test_slices_hold_every_row_of_a_range_once_in_order(wanted: ClusteringRange) -> None:
    inside = [row for row in ROWS if is_inside(KEYS, row, wanted)]
    if is_empty(KEYS, wanted):
        assert inside == []
        return
    found = [row for part in slices_of(wanted) for row in ROWS if _in_slice(row, part)]
    assert found == inside


@given(wanted=_ranges, row=st.sampled_from(ROWS), reverse=st.booleans())
def test_what_is_behind_a_row_is_the_rest(
    wanted: ClusteringRange, row: tuple[int, str], reverse: bool
) -> None:
    order = ROWS[::-1] if reverse else ROWS
    inside = [other for other in order if is_inside(KEYS, other, wanted)]
    if row not in inside:
        return
    rest = behind(wanted, row, reverse=reverse)
    left = [other for other in order if is_inside(KEYS, other, rest)]
    assert left == inside[inside.index(row) + 1 :]


@given(wanted=_ranges, written=st.lists(st.sampled_from(ROWS), unique=True))
def test_a_range_is_cut_at_rows(wanted: ClusteringRange, written: list[tuple[int, str]]) -> None:
    parts = without(KEYS, wanted, list(written))
    inside = [row for row in ROWS if any(is_inside(KEYS, row, part) for part in parts)]
    assert inside == [r for r in ROWS if is_inside(KEYS, r, wanted) and r not in written]
    for one, other in itertools.combinations(parts, 2):
        assert not [r for r in ROWS if is_inside(KEYS, r, one) and is_inside(KEYS, r, other)]


@pytest.mark.parametrize(
    ("wanted", "slices"),
    [
        (ClusteringRange(), [Slice(())]),
        (ClusteringRange(Bound((2,))), [Slice((), low=Edge(2, inclusive=True))]),
        (
            ClusteringRange(Bound((2, "a"), exclusive=True)),
            [
                Slice((2,), low=Edge("a", inclusive=False)),
                Slice((), low=Edge(2, inclusive=False)),
            ],
        ),
        (ClusteringRange(Bound((2, "a")), Bound((2, "a"))), [Slice((2, "a"))]),
    ],
)
def test_slices_are_few(wanted: ClusteringRange, slices: list[Slice]) -> None:
    assert slices_of(wanted) == slices
