"""No call outlives its deadline, and a write that is cut off admits that its fate is unknown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeVar

from taulu.model.clock import Clock
from taulu.model.errors import DeadlineExceeded, TauluError, WriteOutcomeUnknown
from taulu.model.operation import Operation
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Cancels the rest of the pipeline when the caller stops waiting.

    A call whose deadline has passed before any work began did nothing, writes included.
    """

    next: Handler
    clock: Clock

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Run the next handler until the deadline.

        Raises:
            DeadlineExceeded: Nothing was changed.
            WriteOutcomeUnknown: A write was cut off; its token settles it.
        """
        remaining_s = context.deadline - self.clock.monotonic()
        if remaining_s <= 0:
            raise DeadlineExceeded(
                f"the deadline had passed before {type(operation).__name__} on "
                f"{operation.table} began, so nothing was done; allow more time",
                details={"table": operation.table},
            )
        try:
            async with asyncio.timeout(remaining_s):
                return await self.next(operation, context)
        except TimeoutError as error:
            raise _cut_off(operation) from error


def _cut_off(operation: Operation[object]) -> TauluError:
    details = {"table": operation.table}
    if operation.is_write:
        return WriteOutcomeUnknown(
            f"the deadline passed while {operation.table} was being written, so the write may "
            "or may not have happened; send it again with the same token to settle it",
            details=details,
        )
    return DeadlineExceeded(
        f"the deadline passed while {operation.table} was being read; allow more time or "
        "ask for less at once",
        details=details,
    )
