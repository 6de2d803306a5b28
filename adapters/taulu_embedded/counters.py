"""Counters with bounds and holds: each change is checked and applied in one savepoint."""

from __future__ import annotations

from typing import NoReturn

from taulu.model import (
    INT64_MAX,
    INT64_MIN,
    BoundExceeded,
    Bounds,
    Changed,
    Commit,
    Counter,
    CounterChange,
    GetCounters,
    HoldExists,
    HoldNotFound,
    Increment,
    InvalidArgument,
    Key,
    Release,
    Reserve,
)
from taulu_embedded import statements
from taulu_embedded._driver import Connection
from taulu_embedded.shape import StoredTable
from taulu_embedded.transaction import Transaction

_Place = tuple[int, bytes, bytes]
"""The table id, partition bytes and clustering bytes of a counter."""


def get_counters(
    connection: Connection, stored: StoredTable, operation: GetCounters, now_us: int
) -> tuple[Counter, ...]:
    """Read counters; one that was never written has value 0."""
    return tuple(_load(connection, _place(stored, key), key, now_us) for key in operation.keys)


def change_counter(transaction: Transaction, stored: StoredTable, change: CounterChange) -> Changed:
    """Apply a change once, inside the caller's savepoint.

    Raises:
        BoundExceeded: Value and holds would leave the bounds, or 64 bits.
        HoldExists: A reserve names an active hold.
        HoldNotFound: A commit or a release names no active hold.
        InvalidArgument: A reserve of nothing, or a commit of what was not held.
        TokenReused: The token has named another effect.
    """
    before = stored.tokens.recall(transaction, change)
    if before is not None:
        counter = Counter(change.key, *before[:4])
        return Changed(counter, hold_expire_us=before[4] if len(before) > 4 else None)
    place = _place(stored, change.key)
    # What this change counts as gone must stay gone, should the clock step back.
    transaction.connection.execute(statements.DELETE_EXPIRED_HOLDS, *place, transaction.now_us)
    now = _load(transaction.connection, place, change.key, transaction.now_us)
    hold_expire_us = None
    match change:
        case Increment():
            value = _increment(stored, now, change)
        case Reserve():
            value, hold_expire_us = now.value, _reserve(transaction, stored, now, change)
        case Commit():
            value = now.value + _end_hold(transaction, stored, change)
            if not INT64_MIN <= value <= INT64_MAX:
                _refuse(stored, now, value - now.value, ("ceiling", INT64_MAX))
        case Release():
            _end_hold(transaction, stored, change)
            value = now.value
    version = transaction.next_version()
    transaction.connection.execute(statements.PUT_COUNTER, *place, value, version)
    after = _load(transaction.connection, place, change.key, transaction.now_us)
    result = (after.value, after.held_increase, after.held_decrease, version)
    extra = () if hold_expire_us is None else (hold_expire_us,)
    stored.tokens.remember(transaction, change, *result, *extra)
    return Changed(after, hold_expire_us=hold_expire_us)


def _place(stored: StoredTable, key: Key) -> _Place:
    return stored.id, stored.keys.partition(key.partition), stored.keys.clustering(key.clustering)


def _load(connection: Connection, place: _Place, key: Key, now_us: int) -> Counter:
    value, version = connection.one(statements.GET_COUNTER, *place) or (0, 0)
    increase, decrease = connection.one(statements.SUM_HOLDS, *place, now_us) or (0, 0)
    return Counter(key, value, increase, decrease, version)


def _limits(stored: StoredTable, asked: Bounds) -> tuple[int, int]:
    """Return the tighter floor and ceiling of table and change; 64 bits where there is none."""
    own = stored.table.bounds
    floors = [f for f in (own.floor, asked.floor) if f is not None]
    ceilings = [c for c in (own.ceiling, asked.ceiling) if c is not None]
    return max(floors, default=INT64_MIN), min(ceilings, default=INT64_MAX)


def _increment(stored: StoredTable, now: Counter, change: Increment) -> int:
    """Return the new value. A step is checked only against the bound that it moves toward."""
    floor, ceiling = _limits(stored, change.bounds)
    value = now.value + change.delta
    if change.delta > 0 and value + now.held_increase > ceiling:
        _refuse(stored, now, change.delta, ("ceiling", ceiling))
    if change.delta < 0 and value + now.held_decrease < floor:
        _refuse(stored, now, change.delta, ("floor", floor))
    return value


def _reserve(transaction: Transaction, stored: StoredTable, now: Counter, change: Reserve) -> int:
    """Set the hold up and return when it ends by itself."""
    place = _place(stored, change.key)
    values = (*place, change.hold_id, transaction.now_us)
    if change.amount == 0:
        raise InvalidArgument(
            f"a hold of 0 on {stored.table.full_name} reserves nothing; reserve an amount above "
            "zero against the ceiling, or below zero against the floor"
        )
    if transaction.connection.one(statements.GET_HOLD, *values) is not None:
        raise HoldExists(
            f"counter of {stored.table.full_name} already has an active hold "
            f"{change.hold_id!r}; commit or release it, or choose another hold_id",
            details={"hold_id": change.hold_id},
        )
    floor, ceiling = _limits(stored, change.bounds)
    increase = now.held_increase + change.amount
    decrease = now.held_decrease + change.amount
    if change.amount > 0 and (now.value + increase > ceiling or increase > INT64_MAX):
        _refuse(stored, now, change.amount, ("ceiling", ceiling))
    if change.amount < 0 and (now.value + decrease < floor or decrease < INT64_MIN):
        _refuse(stored, now, change.amount, ("floor", floor))
    expire_us = transaction.now_us + change.ttl_us
    transaction.connection.execute(
        statements.PUT_HOLD, *place, change.hold_id, change.amount, expire_us
    )
    return expire_us


def _end_hold(transaction: Transaction, stored: StoredTable, change: Commit | Release) -> int:
    """Remove the hold and return how much of it is to be added to the value."""
    place = _place(stored, change.key)
    values = (*place, change.hold_id, transaction.now_us)
    row = transaction.connection.one(statements.GET_HOLD, *values)
    if row is None:
        raise HoldNotFound(
            f"counter of {stored.table.full_name} has no active hold {change.hold_id!r}: it "
            "expired, was settled, or never was; reserve again",
            details={"hold_id": change.hold_id},
        )
    held: int = row[0]
    amount = held if isinstance(change, Release) or change.amount is None else change.amount
    if abs(amount) > abs(held) or amount * held < 0:
        raise InvalidArgument(
            f"hold {change.hold_id!r} is of {held}, so {amount} of it cannot be committed; "
            "commit at most what is held, of the same sign",
            details={"hold_id": change.hold_id, "held": str(held), "asked": str(amount)},
        )
    transaction.connection.execute(statements.DELETE_HOLD, *place, change.hold_id)
    return amount


def _refuse(stored: StoredTable, now: Counter, asked: int, bound: tuple[str, int]) -> NoReturn:
    name, limit = bound
    raise BoundExceeded(
        f"a change of {asked} to a counter of {stored.table.full_name} would pass its {name} of "
        f"{limit}: its value is {now.value}, its holds are {now.held_increase} and "
        f"{now.held_decrease}; ask for less, or wait until holds end",
        details={
            "value": str(now.value),
            "held_increase": str(now.held_increase),
            "held_decrease": str(now.held_decrease),
            name: str(limit),
            "asked": str(asked),
        },
    )
