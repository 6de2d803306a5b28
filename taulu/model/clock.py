"""Time, as a thing that is handed in, so that a test can drive it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the gateway and its adapters may know of time."""

    def now_us(self) -> int:
        """Return wall time in microseconds since 1970; it may step backwards."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; it never steps backwards."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Return wall time in microseconds since 1970."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Return the running event loop's kind of time, in seconds."""
        return time.monotonic()
