"""Clustering ranges as boxes: equal leading columns, and at most one column in a range.

A range over columns of mixed directions is no comparison that an index could follow. Each box
is one: a stretch of the index in declared order. A range with bounds of n columns makes
at most 2n - 1 boxes, disjoint and in declared order.
"""

from __future__ import annotations

from dataclasses import dataclass

from taulu.model import Bound, ClusteringRange, KeyValue

Prefix = tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a box on the column behind its prefix."""

    value: KeyValue
    is_inside: bool


@dataclass(frozen=True, slots=True)
class Box:
    """Rows whose first clustering columns are `prefix`, and whose next lies between the edges."""

    prefix: Prefix = ()
    low: Edge | None = None
    """The earlier end in declared order."""
    high: Edge | None = None


def boxes_of(span: ClusteringRange) -> list[Box]:
    """Return the boxes of a range that is not empty."""
    return _between((), span.start, span.end)


def _between(prefix: Prefix, start: Bound | None, end: Bound | None) -> list[Box]:
    if start is None or end is None:
        if start is not None:
            return _behind(prefix, start)
        return [Box(prefix)] if end is None else _before(prefix, end)
    if not start.prefix:
        return [] if start.exclusive else _between(prefix, None, end)
    if not end.prefix:
        return [] if end.exclusive else _between(prefix, start, None)
    first, last = start.prefix[0], end.prefix[0]
    if first == last:
        return _between((*prefix, first), _rest(start), _rest(end))
    left, low = _left(prefix, start)
    right, high = _right(prefix, end)
    return [*left, Box(prefix, low, high), *right]


def _behind(prefix: Prefix, start: Bound) -> list[Box]:
    if not start.prefix:
        return [] if start.exclusive else [Box(prefix)]
    left, low = _left(prefix, start)
    return [*left, Box(prefix, low=low)]


def _before(prefix: Prefix, end: Bound) -> list[Box]:
    if not end.prefix:
        return [] if end.exclusive else [Box(prefix)]
    right, high = _right(prefix, end)
    return [Box(prefix, high=high), *right]


def _left(prefix: Prefix, start: Bound) -> tuple[list[Box], Edge]:
    """Return the boxes that share the bound's first value, and the edge behind them."""
    first = start.prefix[0]
    if len(start.prefix) == 1:
        return [], Edge(first, is_inside=not start.exclusive)
    return _behind((*prefix, first), _rest(start)), Edge(first, is_inside=False)


def _right(prefix: Prefix, end: Bound) -> tuple[list[Box], Edge]:
    last = end.prefix[0]
    if len(end.prefix) == 1:
        return [], Edge(last, is_inside=not end.exclusive)
    return _before((*prefix, last), _rest(end)), Edge(last, is_inside=False)


def _rest(bound: Bound) -> Bound:
    return Bound(bound.prefix[1:], bound.exclusive)
