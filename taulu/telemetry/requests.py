"""What requests came, and how long they took, counted in plain numbers.

All of it happens on the worker's event loop, so nothing is locked, and a request costs a third of
what it does in the library's histogram (see the decision record of the metrics' ports).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from taulu.telemetry.metrics import DURATION_BOUNDS_S, REQUEST_DURATION, Distribution, Sample


@dataclass(slots=True)
class _Durations:
    counts: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_S) + 1))
    total_s: float = 0.0


@dataclass(slots=True)
class Requests:
    """Durations by method and code since the worker began."""

    _series: dict[tuple[str, str], _Durations] = field(
        default_factory=dict[tuple[str, str], _Durations]
    )

    def observe(self, method: str, code: str, duration_s: float) -> None:
        """Count a request that has ended.

        Args:
            method: Its path, for instance `/taulu.v1.DataService/Get`.
            code: `OK`, `CANCELLED`, or the code of an error.
            duration_s: How long it took, in seconds.
        """
        durations = self._series.get((method, code))
        if durations is None:
            durations = self._series[method, code] = _Durations()
        # A bucket holds its bound: what took just as long is in it.
        durations.counts[bisect_left(DURATION_BOUNDS_S, duration_s)] += 1
        durations.total_s += duration_s

    def samples(self) -> Iterator[Sample]:
        """Yield what was counted so far, as it is now."""
        for labels, durations in self._series.items():
            distribution = Distribution(tuple(durations.counts), durations.total_s)
            yield Sample(REQUEST_DURATION, distribution, labels)
