"""Clustering order and ranges, by comparing the values themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from taulu.model import ClusteringRange, KeyValue, Table

Clustering = tuple[KeyValue, ...]


def compare(table: Table, left: Clustering, right: Clustering) -> int:
    """Compare as far as the shorter one goes: below zero, zero, or above, in declared order."""
    pairs = zip(table.clustering_key, left, right, strict=False)
    for column, one, other in pairs:
        if one != other:
            sign = -1 if _is_less(one, other) else 1
            return -sign if column.descending else sign
    return 0


def sort_key(table: Table) -> Callable[[Clustering], Any]:
    """Return a sort key that puts whole clustering keys in declared order."""
    return cmp_to_key(lambda left, right: compare(table, left, right))


def is_inside(table: Table, clustering: Clustering, stretch: ClusteringRange) -> bool:
    """Return whether a row lies in a range."""
    if stretch.start is not None:
        side = compare(table, clustering, stretch.start.prefix)
        if side < 0 or (side == 0 and stretch.start.exclusive):
            return False
    if stretch.end is not None:
        side = compare(table, clustering, stretch.end.prefix)
        if side > 0 or (side == 0 and stretch.end.exclusive):
            return False
    return True


def _is_less(one: Any, other: Any) -> bool:  # noqa: ANN401 - two values of one column's type
    return bool(one < other)
