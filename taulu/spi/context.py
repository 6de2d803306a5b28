"""What travels with an operation down the pipeline, and the shape of every step of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from taulu.model.operation import Operation

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and how long the answer is of use."""

    deadline: float
    """When the caller stops waiting, on `Clock.monotonic`, in seconds."""
    request_id: str = ""
    caller: str = "anonymous"


class Handler(Protocol):
    """One step of a pipeline, and the adapter at its end: `handler(operation, context)`."""

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Carry out the operation, or raise a `TauluError`."""
        ...
