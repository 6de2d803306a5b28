"""The time of one operation, and the versions that the adapter gives out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Versions:
    """Hybrid logical time: the wall clock, or one more than the last when it is not ahead."""

    last: int = 0

    def next(self, now_us: int) -> int:
        """Return a version above all that were given out before."""
        self.last = max(now_us, self.last + 1)
        return self.last


@dataclass(frozen=True, slots=True)
class Moment:
    """When an operation runs, for everything in it."""

    now_us: int
    versions: Versions

    def version(self) -> int:
        """Return a new version."""
        return self.versions.next(self.now_us)

    def expiry(self, ttl_us: int | None) -> int | None:
        """Return when something that lives this long ends."""
        return None if ttl_us is None else self.now_us + ttl_us
