"""How far partitions reached when this worker last heard of it.

A leader that was cut off or stopped may not know for a while that another has taken its place,
and answers as if nothing had been appended since. A worker that knows better does not believe it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from taulu_kafka._driver import Place

_TRUSTED_S = 60.0
"""How long an end is held against what a broker says: longer than any leader is in doubt, and not
for ever, so that a log which did lose its end can be read again."""
_PLACES_MAX = 10_000


@dataclass(slots=True)
class Ends:
    """The furthest end of each partition, and when it was heard of."""

    monotonic: Callable[[], float]
    _heard: dict[Place, tuple[int, float]] = field(default_factory=dict[Place, tuple[int, float]])

    def note(self, place: Place, end: int) -> None:
        """Take note of an end."""
        if end < self.known(place):
            return
        if len(self._heard) >= _PLACES_MAX:
            self._heard.clear()
        self._heard[place] = (end, self.monotonic())

    def known(self, place: Place) -> int:
        """Return what a partition's end is at least; 0 when nothing is known."""
        end, heard = self._heard.get(place, (0, 0.0))
        return end if self.monotonic() - heard < _TRUSTED_S else 0
