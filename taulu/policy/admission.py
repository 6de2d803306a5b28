"""A worker takes on only so many calls at once; the rest are refused before any work on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from taulu.model.errors import Overloaded
from taulu.model.operation import Operation, ReadLog
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")

RETRY_AFTER_S = 0.05


@dataclass(slots=True)
class Gate:
    """The places that all tables of one worker share."""

    calls_max: int
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """Refuses calls past the gate's limit at once, so that no queue grows."""

    next: Handler
    gate: Gate

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Run the next handler if there is a place.

        Raises:
            Overloaded: All places are taken; nothing was done.
        """
        if _waits(operation):
            return await self.next(operation, context)
        gate = self.gate
        if gate.calls >= gate.calls_max:
            raise Overloaded(
                f"this worker is carrying out {gate.calls} calls, its limit "
                "(limits.concurrent_calls), so nothing was done; send again a little later",
                details={"limit": "concurrent_calls", "value": str(gate.calls_max)},
                retry_after_s=RETRY_AFTER_S,
            )
        gate.calls += 1
        try:
            return await self.next(operation, context)
        finally:
            gate.calls -= 1


def _waits(operation: Operation[object]) -> bool:
    """Whether the call waits for new records: it costs nothing, and the server limits those."""
    return isinstance(operation, ReadLog) and operation.wait_s > 0
