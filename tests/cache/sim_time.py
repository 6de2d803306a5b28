"""Simulated time: an event loop whose clock jumps to its next timer, and clocks that disagree."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TypeVar

ResultT = TypeVar("ResultT")

START_US = 1_700_000_000_000_000
"""Wall time at the begin of every simulation, in microseconds since 1970."""


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: instead of passing, time is moved on."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("the simulation stands still: nothing is ready, no timer is set")
        self.now_s += timeout
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """An event loop on simulated time; hours of it cost what the work in them costs."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Return simulated seconds."""
        return self._jump.now_s


def simulate(work: Coroutine[None, None, ResultT]) -> ResultT:
    """Run a coroutine to its end on a loop of its own, in simulated time."""
    with asyncio.Runner(loop_factory=SimLoop) as runner:
        return runner.run(work)


def now_s() -> float:
    """Return the true time of the simulation, in seconds."""
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class SimClock:
    """The clocks of one machine: off by a swinging amount, and a little too fast or slow."""

    swing_s: float = 0.0
    """How far the wall clock is off at most, to either side."""
    period_s: float = 97.0
    phase: float = 0.0
    rate: float = 1.0
    """Seconds of the monotonic clock for each true second."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        true_s = now_s()
        off_s = self.swing_s * math.sin(2 * math.pi * (true_s / self.period_s + self.phase))
        return START_US + int((true_s + off_s) * 1e6)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return now_s() * self.rate


def true_s(wall_us: int) -> float:
    """Return the simulated second that a wall time stands for, on a clock that is right."""
    return (wall_us - START_US) / 1e6
