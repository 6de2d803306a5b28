"""Removing what has expired, a little at a time, so that no writer waits long.

Nothing depends on it but the size of the file: what has expired is absent before it is purged.
"""

from __future__ import annotations

from collections.abc import Callable

from taulu.model import Kind
from taulu_embedded import statements
from taulu_embedded.logs import kept_records
from taulu_embedded.shape import StoredTable
from taulu_embedded.transaction import Transaction

CHUNK = 1_000
"""How many rows one step removes at most; the step holds the write lock for no longer."""

PurgeStep = Callable[[Transaction], int]
"""Removes up to `CHUNK` rows and returns how many."""


def purge_rows(transaction: Transaction) -> int:
    """Remove expired rows of all tables."""
    return _purge(transaction, statements.PURGE_ROWS)


def purge_tokens(transaction: Transaction) -> int:
    """Remove idempotency tokens whose window has passed."""
    return _purge(transaction, statements.PURGE_TOKENS)


def purge_holds(transaction: Transaction) -> int:
    """Remove expired holds of all counters."""
    return _purge(transaction, statements.PURGE_HOLDS)


def purge_log(transaction: Transaction, stored: StoredTable) -> int:
    """Remove records past their retention from the front of each partition of a log."""
    if stored.table.kind is not Kind.LOG or stored.table.ttl_us is None:
        return 0
    connection = transaction.connection
    removed = 0
    for (partition,) in connection.all(statements.LOG_PARTITIONS, stored.id):
        head = connection.one(statements.GET_LOG_HEAD, stored.id, partition)
        if head is None:
            continue
        kept = kept_records(connection, stored, partition, transaction.now_us)
        first = min(kept.first, head[0] + CHUNK - removed)
        if first > head[0]:
            connection.execute(statements.DELETE_LOG_BEFORE, stored.id, partition, first)
            connection.execute(statements.SET_LOG_FIRST, first, stored.id, partition)
            removed += first - head[0]
        if removed >= CHUNK:
            break
    return removed


PURGE_STEPS: tuple[PurgeStep, ...] = (purge_rows, purge_tokens, purge_holds)


def _purge(transaction: Transaction, statement: str) -> int:
    transaction.connection.execute(statement, transaction.now_us, CHUNK)
    return transaction.connection.changes()
