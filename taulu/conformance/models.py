"""The sequential models that histories are compared with: a row, and a bounded counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

NO_ROW = -1
"""Stands for a row that is absent; rows of a history hold numbers from 0."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """Saw the number, or `NO_ROW`."""


@dataclass(frozen=True, slots=True)
class PutRow:
    """Saw 1."""

    number: int


@dataclass(frozen=True, slots=True)
class CompareAndSet:
    """Saw 1 when it was done, 0 when the condition failed. `NO_ROW` asks for absence."""

    old: int
    new: int


RowCall: TypeAlias = ReadRow | PutRow | CompareAndSet


class RowModel:
    """One row that holds one number."""

    def first(self) -> int:
        """Return the state before any call: no row."""
        return NO_ROW

    def after(self, state: int, call: RowCall, seen: int | None) -> int | None:
        """See `SequentialModel.after`."""
        match call:
            case ReadRow():
                return state if seen in (None, state) else None
            case PutRow(number=number):
                return number
            case CompareAndSet(old=old, new=new):
                done = state == old
                if seen is not None and bool(seen) != done:
                    return None
                return new if done else state


@dataclass(frozen=True, slots=True)
class Add:
    """Saw the new value, or `REFUSED`."""

    delta: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Saw the sum held, or `REFUSED`."""

    hold_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Commit or release; saw the new value, or `REFUSED` when there was no hold."""

    hold_id: str
    is_commit: bool


@dataclass(frozen=True, slots=True)
class ReadCounter:
    """Saw value and sum held."""


CounterCall: TypeAlias = Add | Hold | Settle | ReadCounter
CounterSeen: TypeAlias = int | tuple[int, int]
CounterState: TypeAlias = tuple[int, frozenset[tuple[str, int]]]

REFUSED = -(10**9)


@dataclass(frozen=True, slots=True)
class CounterModel:
    """One counter from 0 up to a ceiling, holds above zero included."""

    ceiling: int

    def first(self) -> CounterState:
        """Return the state before any call: zero, with no holds."""
        return 0, frozenset()

    def after(
        self, state: CounterState, call: CounterCall, seen: CounterSeen | None
    ) -> CounterState | None:
        """See `SequentialModel.after`."""
        value, holds = state
        held = sum(amount for _, amount in holds)
        match call:
            case ReadCounter():
                return state if seen in (None, (value, held)) else None
            case Add(delta=delta):
                fits = value + delta >= 0 and (delta <= 0 or value + held + delta <= self.ceiling)
                result, then = value + delta, (value + delta, holds)
            case Hold(hold_id=hold_id, amount=amount):
                fits = value + held + amount <= self.ceiling
                result, then = held + amount, (value, holds | {(hold_id, amount)})
            case Settle(hold_id=hold_id, is_commit=is_commit):
                amounts = [amount for own, amount in holds if own == hold_id]
                fits = bool(amounts)
                rest = frozenset(hold for hold in holds if hold[0] != hold_id)
                result = value + (sum(amounts) if is_commit else 0)
                then = result, rest
        if not fits:
            return state if seen in (None, REFUSED) else None
        return then if seen in (None, result) else None
