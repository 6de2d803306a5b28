"""What a change makes of a counter: the rules, for adapters that decide in Python.

A decision needs the counter as it is and the hold that the change names; to store what comes of
it is the adapter's part.
"""

from __future__ import annotations

from dataclasses import replace

from taulu.model.errors import (
    BoundExceeded,
    HoldExists,
    HoldNotFound,
    InvalidArgument,
)
from taulu.model.operation import Commit, CounterChange, Increment, Release, Reserve
from taulu.model.result import Counter
from taulu.model.table import Bounds, Table
from taulu.model.value import INT64_MAX, INT64_MIN


def after_change(table: Table, now: Counter, held: int | None, change: CounterChange) -> Counter:
    """Return a counter as it is after a change, but for its version.

    Args:
        table: Its bounds hold besides those of the change.
        now: The counter before the change, with its active holds.
        held: The amount of the active hold that the change names; None if there is none.
        change: What is asked for.

    Raises:
        BoundExceeded: Value and holds would leave the bounds, or 64 bits.
        HoldExists: A reserve names an active hold.
        HoldNotFound: A commit or a release names no active hold.
        InvalidArgument: A reserve of nothing, or a commit of what was not held.
    """
    match change:
        case Increment(delta=delta, bounds=asked):
            _check_step(table, now, asked, delta)
            return replace(now, value=now.value + delta)
        case Reserve():
            return _with_hold(table, now, held, change)
        case Commit() | Release():
            return _without_hold(table, now, held, change)


def limits(table: Table, asked: Bounds) -> tuple[int, int]:
    """Return the tighter floor and ceiling of table and change; 64 bits where there is none."""
    floors = [floor for floor in (table.bounds.floor, asked.floor) if floor is not None]
    ceilings = [top for top in (table.bounds.ceiling, asked.ceiling) if top is not None]
    return max(floors, default=INT64_MIN), min(ceilings, default=INT64_MAX)


def _with_hold(table: Table, now: Counter, held: int | None, change: Reserve) -> Counter:
    amount = change.amount
    if amount == 0:
        raise empty_hold(table)
    if held is not None:
        raise hold_exists(table, change.hold_id)
    _check_step(table, now, change.bounds, amount)
    after = _add_to_holds(now, amount)
    # A value on the other side of zero leaves room for holds that 64 bits do not.
    if after.held_increase > INT64_MAX:
        raise bound_exceeded(table, now, amount, ("ceiling", INT64_MAX))
    if after.held_decrease < INT64_MIN:
        raise bound_exceeded(table, now, amount, ("floor", INT64_MIN))
    return after


def _without_hold(
    table: Table, now: Counter, held: int | None, change: Commit | Release
) -> Counter:
    if held is None:
        raise hold_not_found(table, change.hold_id)
    amount = 0
    if isinstance(change, Commit):
        amount = held if change.amount is None else change.amount
    if abs(amount) > abs(held) or amount * held < 0:
        raise not_held(change.hold_id, held, amount)
    # What is held had room when it was reserved, and every step since has left it.
    return replace(_add_to_holds(now, held, times=-1), value=now.value + amount)


def _add_to_holds(now: Counter, amount: int, times: int = 1) -> Counter:
    """Return the counter with a hold of an amount more, or with one less."""
    if amount > 0:
        return replace(now, held_increase=now.held_increase + times * amount)
    return replace(now, held_decrease=now.held_decrease + times * amount)


def _check_step(table: Table, now: Counter, asked: Bounds, amount: int) -> None:
    """Refuse a step past the bound that it moves toward, with all holds counted."""
    floor, ceiling = limits(table, asked)
    if amount > 0 and now.value + now.held_increase + amount > ceiling:
        raise bound_exceeded(table, now, amount, ("ceiling", ceiling))
    if amount < 0 and now.value + now.held_decrease + amount < floor:
        raise bound_exceeded(table, now, amount, ("floor", floor))


def bound_exceeded(table: Table, now: Counter, asked: int, bound: tuple[str, int]) -> BoundExceeded:
    """Return what is said of a step past `floor` or `ceiling`."""
    name, limit = bound
    return BoundExceeded(
        f"a change of {asked} to a counter of {table.full_name} would pass its {name} of {limit}: "
        f"its value is {now.value}, its holds are {now.held_increase} and {now.held_decrease}; "
        "ask for less, or wait until holds end",
        details={
            "value": str(now.value),
            "held_increase": str(now.held_increase),
            "held_decrease": str(now.held_decrease),
            name: str(limit),
            "asked": str(asked),
        },
    )


def empty_hold(table: Table) -> InvalidArgument:
    """Return what is said of a reserve of 0."""
    return InvalidArgument(
        f"a hold of 0 on {table.full_name} reserves nothing; reserve an amount above zero against "
        "the ceiling, or below zero against the floor"
    )


def hold_exists(table: Table, hold_id: str) -> HoldExists:
    """Return what is said of a reserve that names an active hold."""
    return HoldExists(
        f"counter of {table.full_name} already has an active hold {hold_id!r}; commit or release "
        "it, or choose another hold_id",
        details={"hold_id": hold_id},
    )


def hold_not_found(table: Table, hold_id: str) -> HoldNotFound:
    """Return what is said of a commit or a release that names no active hold."""
    return HoldNotFound(
        f"counter of {table.full_name} has no active hold {hold_id!r}: it expired, was settled, or "
        "never was; reserve again",
        details={"hold_id": hold_id},
    )


def not_held(hold_id: str, held: int, asked: int) -> InvalidArgument:
    """Return what is said of a commit of more than is held, or of the other sign."""
    return InvalidArgument(
        f"hold {hold_id!r} is of {held}, so {asked} of it cannot be committed; commit at most what "
        "is held, of the same sign",
        details={"hold_id": hold_id, "held": str(held), "asked": str(asked)},
    )
