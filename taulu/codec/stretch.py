"""Clustering ranges as bytes: what a range covers, and what is left of it behind a row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taulu.codec.keys import KeyCodec, prefix_end
from taulu.model.row import Bound, ClusteringRange


@dataclass(frozen=True, slots=True)
class Stretch:
    """Clustering bytes from `low` up to, but not including, `high`; None is unbounded."""

    low: bytes
    high: bytes | None

    @property
    def is_empty(self) -> bool:
        """Whether no row can lie inside."""
        return self.high is not None and self.high <= self.low

    def has(self, clustering: bytes) -> bool:
        """Return whether a row lies inside."""
        return self.low <= clustering and (self.high is None or clustering < self.high)

    def behind(self, clustering: bytes, *, reverse: bool) -> Stretch:
        """Return what is left behind a row, on the way that a query goes."""
        if reverse:
            return replace(
                self, high=clustering if self.high is None else min(self.high, clustering)
            )
        return replace(self, low=max(self.low, clustering + b"\x00"))


_NOWHERE = Stretch(b"", b"")


def stretch_of(keys: KeyCodec, wanted: ClusteringRange) -> Stretch:
    """Return the bytes that a clustering range covers."""
    low: bytes | None = b""
    if wanted.start is not None:
        low = _edge(keys, wanted.start, after=wanted.start.exclusive)
        if low is None:
            return _NOWHERE
    high = None
    if wanted.end is not None:
        high = _edge(keys, wanted.end, after=not wanted.end.exclusive)
    return Stretch(low, high)


def _edge(keys: KeyCodec, bound: Bound, *, after: bool) -> bytes | None:
    prefix = keys.clustering(bound.prefix)
    return prefix_end(prefix) if after else prefix
