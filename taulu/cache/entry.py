"""What a cache holds of one place: a row, its absence, or one first page of a query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from taulu.model.result import Absent, RowPage
from taulu.model.row import Row

Cached: TypeAlias = Row | Absent | RowPage

APPLY_US_MAX = 60 * 1_000_000
"""How long after its version a write is taken to have settled in its store, in microseconds:
what was read of an older one binds a session to no later time."""

_ENTRY_BYTES = 400
"""What an entry weighs besides its data, roughly."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A copy of what the store held, and since when that is known."""

    value: Cached
    version: int
    """The highest version in it; 0 for an absent row."""
    as_of_us: int
    """When the read of the store began, by the clock of the gateway that read."""
    landed_us: int
    """When that read ended, by the same clock."""
    began_s: float
    """`as_of_us` on this worker's monotonic clock; earlier than true if need be, never later."""
    keep_until_s: float
    """When its time to live ends, on the monotonic clock."""
    data_bytes: int
    """How many bytes its data takes, encoded."""

    @property
    def weight(self) -> int:
        """How much of the cache it takes, in bytes."""
        return self.data_bytes + _ENTRY_BYTES

    def is_over(self, now_us: int) -> bool:
        """Whether a row in it has expired, so that it shows what is there no more."""
        return any(row.expire_us is not None and row.expire_us <= now_us for row in self.rows())

    def rows(self) -> Iterator[Row]:
        """Yield the rows in it."""
        if isinstance(self.value, Row):
            yield self.value
        elif isinstance(self.value, RowPage):
            yield from self.value.rows


def session_time_us(version: int, landed_us: int) -> int:
    """Return the time that a session is bound to which has seen this version, read by then.

    A read that begins later sees at least this version.
    """
    return min(landed_us, version + APPLY_US_MAX) if version else 0
