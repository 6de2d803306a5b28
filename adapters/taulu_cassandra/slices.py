"""Clustering ranges as CQL can say them.

A range lies between two cuts, each before or after all rows with some prefix. CQL's comparison
of tuples ignores declared order where columns run in different directions, so a range is taken
apart into slices: some columns equal, and the next one between two ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taulu.codec import KeyCodec, prefix_end
from taulu.model import Bound, ClusteringRange, KeyValue

Prefix = tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a slice, in declared order."""

    value: KeyValue
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows whose first columns equal `equal`, with the next one between two edges."""

    equal: Prefix
    low: Edge | None = None
    high: Edge | None = None


@dataclass(frozen=True, slots=True)
class _Cut:
    """A place between rows: before or after all that begin with the prefix."""

    prefix: Prefix
    after: bool


def slices_of(wanted: ClusteringRange) -> list[Slice]:
    """Return the slices of a range, in declared order; none when no row can lie inside."""
    low = None if wanted.start is None else _Cut(wanted.start.prefix, wanted.start.exclusive)
    high = None if wanted.end is None else _Cut(wanted.end.prefix, not wanted.end.exclusive)
    return list(_between((), low, high))


def _between(equal: Prefix, low: _Cut | None, high: _Cut | None) -> Iterator[Slice]:
    depth = len(equal)
    if low is not None and len(low.prefix) == depth:
        if low.after:
            return
        low = None
    if high is not None and len(high.prefix) == depth:
        if not high.after:
            return
        high = None
    if low is not None and high is not None and low.prefix[depth] == high.prefix[depth]:
        yield from _between((*equal, low.prefix[depth]), low, high)
        return
    low_edge, high_edge = _edge(low, depth, is_low=True), _edge(high, depth, is_low=False)
    if low is not None and len(low.prefix) > depth + 1:
        yield from _between((*equal, low.prefix[depth]), low, None)
    yield Slice(equal, low_edge, high_edge)
    if high is not None and len(high.prefix) > depth + 1:
        yield from _between((*equal, high.prefix[depth]), None, high)


def _edge(cut: _Cut | None, depth: int, *, is_low: bool) -> Edge | None:
    """Return the end of the slice at this depth; a longer prefix has slices of its own."""
    if cut is None:
        return None
    whole = len(cut.prefix) == depth + 1
    return Edge(cut.prefix[depth], inclusive=whole and cut.after is not is_low)


def is_empty(keys: KeyCodec, wanted: ClusteringRange) -> bool:
    """Return whether no row can lie in a range."""
    low, high = _bytes_of(keys, wanted)
    return low is None or (high is not None and high <= low)


def is_inside(keys: KeyCodec, clustering: Prefix, wanted: ClusteringRange) -> bool:
    """Return whether a row lies in a range."""
    low, high = _bytes_of(keys, wanted)
    place = keys.clustering(clustering)
    return low is not None and low <= place and (high is None or place < high)


def _bytes_of(keys: KeyCodec, wanted: ClusteringRange) -> tuple[bytes | None, bytes | None]:
    """Return the bytes that a range covers; no low end where it begins after all rows."""
    low: bytes | None = b""
    if wanted.start is not None:
        prefix = keys.clustering(wanted.start.prefix)
        low = _after(prefix) if wanted.start.exclusive else prefix
    high = None
    if wanted.end is not None:
        prefix = keys.clustering(wanted.end.prefix)
        high = prefix if wanted.end.exclusive else _after(prefix)
    return low, high


def _after(prefix: bytes) -> bytes | None:
    return prefix_end(prefix)


def behind(wanted: ClusteringRange, clustering: Prefix, *, reverse: bool) -> ClusteringRange:
    """Return what is left of a range behind one of its rows."""
    bound = Bound(clustering, exclusive=True)
    if reverse:
        return ClusteringRange(wanted.start, bound)
    return ClusteringRange(bound, wanted.end)


def without(keys: KeyCodec, wanted: ClusteringRange, rows: list[Prefix]) -> list[ClusteringRange]:
    """Return a range cut at rows that are not to be in it."""
    left: list[ClusteringRange] = []
    rest = wanted
    for row in sorted((row for row in rows if is_inside(keys, row, wanted)), key=keys.clustering):
        bound = Bound(row, exclusive=True)
        left.append(ClusteringRange(rest.start, bound))
        rest = ClusteringRange(bound, wanted.end)
    left.append(rest)
    return [part for part in left if not is_empty(keys, part)]
