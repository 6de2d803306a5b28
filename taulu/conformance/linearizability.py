"""Whether a history of concurrent calls could have come from one call at a time.

The search of Wing and Gong (1993) with the memory of Lowe (2017): take calls one by one, each
only when no other had returned before it was made, ask a sequential model whether it allows
what was seen, and never enter the same pair of taken calls and state twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

CallT = TypeVar("CallT")
SeenT = TypeVar("SeenT")
StateT = TypeVar("StateT", bound=Hashable)
CallT_contra = TypeVar("CallT_contra", contravariant=True)
SeenT_contra = TypeVar("SeenT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[CallT, SeenT]):
    """One call: when it was made, when it returned, and what was seen."""

    call: CallT
    made: int
    returned: int | None
    """None when it never returned: its effect may come at any time after, or never."""
    seen: SeenT | None


class SequentialModel(Protocol[StateT, CallT_contra, SeenT_contra]):
    """What calls do when there is one at a time."""

    def first(self) -> StateT:
        """Return the state before any call."""
        ...

    def after(self, state: StateT, call: CallT_contra, seen: SeenT_contra | None) -> StateT | None:
        """Return the state after a call, or None when it could not have seen this.

        What a call saw is None when it never returned; then anything is allowed.
        """
        ...


def is_linearizable(
    history: Sequence[Event[CallT, SeenT]], model: SequentialModel[StateT, CallT, SeenT]
) -> bool:
    """Return whether some order of the calls, true to real time, explains what was seen."""
    wanted = sum(1 << i for i, event in enumerate(history) if event.returned is not None)
    tried: set[tuple[int, StateT]] = set()
    stack: list[tuple[int, StateT]] = [(0, model.first())]
    while stack:
        taken, state = stack.pop()
        if (taken & wanted) == wanted:
            return True
        if (taken, state) in tried:
            continue
        tried.add((taken, state))
        left = [i for i in range(len(history)) if not taken >> i & 1]
        horizon = min(_returned(history[i]) for i in left)
        for i in left:
            if history[i].made > horizon:
                continue
            after = model.after(state, history[i].call, history[i].seen)
            if after is not None:
                stack.append((taken | 1 << i, after))
    return False


def _returned(event: Event[CallT, SeenT]) -> float:
    return float("inf") if event.returned is None else event.returned
