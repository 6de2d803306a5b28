"""Counters with bounds and holds: each change is checked and applied in one savepoint."""

from __future__ import annotations

from dataclasses import replace

from taulu.model import (
    Changed,
    Counter,
    CounterChange,
    GetCounters,
    Increment,
    Key,
    Reserve,
)
from taulu.spi import after_change
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
    held = None if isinstance(change, Increment) else _held(transaction, place, change.hold_id)
    after = after_change(stored.table, now, held, change)
    hold_expire_us = None
    if isinstance(change, Reserve):
        hold_expire_us = transaction.now_us + change.ttl_us
        values = (*place, change.hold_id, change.amount, hold_expire_us)
        transaction.connection.execute(statements.PUT_HOLD, *values)
    elif not isinstance(change, Increment):
        transaction.connection.execute(statements.DELETE_HOLD, *place, change.hold_id)
    after = replace(after, version=transaction.next_version())
    transaction.connection.execute(statements.PUT_COUNTER, *place, after.value, after.version)
    result = (after.value, after.held_increase, after.held_decrease, after.version)
    extra = () if hold_expire_us is None else (hold_expire_us,)
    stored.tokens.remember(transaction, change, *result, *extra)
    return Changed(after, hold_expire_us=hold_expire_us)


def _place(stored: StoredTable, key: Key) -> _Place:
    return stored.id, stored.keys.partition(key.partition), stored.keys.clustering(key.clustering)


def _load(connection: Connection, place: _Place, key: Key, now_us: int) -> Counter:
    value, version = connection.one(statements.GET_COUNTER, *place) or (0, 0)
    increase, decrease = connection.one(statements.SUM_HOLDS, *place, now_us) or (0, 0)
    return Counter(key, value, increase, decrease, version)


def _held(transaction: Transaction, place: _Place, hold_id: str) -> int | None:
    """Return the amount of an active hold; None if there is none."""
    values = (*place, hold_id, transaction.now_us)
    row = transaction.connection.one(statements.GET_HOLD, *values)
    return None if row is None else row[0]
