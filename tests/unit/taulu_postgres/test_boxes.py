from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from taulu.model import Bound, ClusteringRange
from taulu_postgres.boxes import Box, Edge, boxes_of

_DIGITS = range(3)
_ROWS = list(itertools.product(_DIGITS, repeat=3))
_bounds = st.one_of(
    st.none(),
    st.builds(
        Bound,
        st.lists(st.sampled_from(_DIGITS), max_size=3).map(tuple),
        st.booleans(),
    ),
)


def lies_in_range(row: tuple[int, ...], span: ClusteringRange) -> bool:
    if span.start is not None:
        own = row[: len(span.start.prefix)]
        if own < span.start.prefix or (own == span.start.prefix and span.start.exclusive):
            return False
    if span.end is not None:
        own = row[: len(span.end.prefix)]
        if own > span.end.prefix or (own == span.end.prefix and span.end.exclusive):
            return False
    return True


def lies_in_box(row: tuple[int, ...], box: Box) -> bool:
    at = len(box.prefix)
    if row[:at] != box.prefix:
        return False
    low, high = box.low, box.high
    above = low is None or row[at] > low.value or (low.is_inside and row[at] == low.value)
    below = high is None or row[at] < high.value or (high.is_inside and row[at] == high.value)
    return above and below


@given(_bounds, _bounds)
def test_boxes_hold_each_row_of_the_range_once_and_in_order(
    start: Bound | None, end: Bound | None
) -> None:
    span = ClusteringRange(start, end)
    expected = [row for row in _ROWS if lies_in_range(row, span)]
    # Ranges that hold nothing are found out before: bounds that are reversed make no sense here.
    if expected:
        found = [row for box in boxes_of(span) for row in _ROWS if lies_in_box(row, box)]
        assert found == expected


def test_bounds_that_share_nothing_make_a_box_per_column_and_one_between() -> None:
    span = ClusteringRange(Bound((1, 2), exclusive=True), Bound((3, 4)))
    assert boxes_of(span) == [
        Box((1,), low=Edge(2, is_inside=False)),
        Box((), Edge(1, is_inside=False), Edge(3, is_inside=False)),
        Box((3,), high=Edge(4, is_inside=True)),
    ]


def test_bounds_of_one_column_make_one_box() -> None:
    span = ClusteringRange(Bound((1,)), Bound((3,), exclusive=True))
    assert boxes_of(span) == [Box((), Edge(1, is_inside=True), Edge(3, is_inside=False))]
