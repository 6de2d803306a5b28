"""One cell of the fault matrix, as a test names it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.workload import Report


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix."""

    backend: str
    """With its shape, for instance `redis, sentinel`."""
    fault: str
    """`kill`, `pause`, `slow`, `silence`, `cut`, or in a few words of its own."""
    extent: str
    """`one node`, `majority`, or in a few words of its own."""


UnderFault = Callable[..., Awaitable[Report]]
"""The fixture `under_fault`: `run_under_fault` with the cell as its first argument."""
