"""Stretches of a partition, as limits of a lexicographic range."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taulu.codec import KeyCodec, prefix_end
from taulu.model import Bound, ClusteringRange


@dataclass(frozen=True, slots=True)
class Stretch:
    """Clustering bytes from `low` up to, but not including, `high`; None is unbounded."""

    low: bytes
    high: bytes | None

    def has(self, place: bytes) -> bool:
        """Return whether a row lies inside."""
        return self.low <= place and (self.high is None or place < self.high)

    def limits(self) -> tuple[bytes, bytes]:
        """Return both ends as ZRANGEBYLEX takes them."""
        return b"[" + self.low, b"+" if self.high is None else b"(" + self.high

    def behind(self, place: bytes, *, reverse: bool) -> Stretch:
        """Return what is left after a row, on the way that a query goes."""
        if reverse:
            return replace(self, high=place if self.high is None else min(self.high, place))
        return replace(self, low=max(self.low, place + b"\x00"))


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
