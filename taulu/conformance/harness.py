"""What the suite needs to be told about the thing that it checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from taulu.model import Table
from taulu.model.clock import SystemClock
from taulu.model.operation import Operation
from taulu.spi import Capabilities, Context

ResultT = TypeVar("ResultT")


class Execute(Protocol):
    """How an operation is carried out: an adapter's `execute`, or a client's through a gateway."""

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Carry out the operation, or raise a `TauluError`."""
        ...


@dataclass(slots=True)
class ShiftedClock:
    """The machine's clock, moved by as much as a test wants."""

    shift_us: int = 0
    _system: SystemClock = field(default_factory=SystemClock)

    def now_us(self) -> int:
        """Return the shifted wall time."""
        return self._system.now_us() + self.shift_us

    def monotonic(self) -> float:
        """Return the machine's own monotonic time: deadlines are never shifted."""
        return self._system.monotonic()


Start = Callable[[Sequence[Table], ShiftedClock], AbstractAsyncContextManager[Execute]]
"""Opens the subject with its tables prepared; leaving the context closes it."""


@dataclass(frozen=True, slots=True)
class Harness:
    """One subject of the suite.

    `start` may be called again after its context was left: what a durable subject held is
    still there. Tests keep apart by using keys of their own, so one store may serve all.
    """

    start: Start
    capabilities: Capabilities
    is_durable: bool = True
    """Whether acknowledged writes survive leaving the context."""
    follows_clock: bool = True
    """Whether the subject takes its time from the clock given to `start`. When it does not,
    tests wait instead of moving the clock, and those that move it backwards are skipped."""
    kill: Callable[[], Awaitable[None]] | None = None
    """Ends a running subject without warning, as `kill -9` does; None when that cannot be."""
