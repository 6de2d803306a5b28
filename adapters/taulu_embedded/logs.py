"""Logs: consecutive offsets per partition, times that never decrease, retention from the front.

Because times never decrease with offsets, the first record at or after a time is found by
halving, with no index on time.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from taulu.codec import log_partition
from taulu.model import (
    Appended,
    Corrupt,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    InvalidArgument,
    LogRecord,
    LogStart,
    NewRecord,
    OffsetOutOfRange,
    ReadLog,
)
from taulu_embedded import statements
from taulu_embedded._driver import Connection
from taulu_embedded.shape import StoredTable
from taulu_embedded.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Kept:
    """The records of one partition that still count: from `first` up to, not with, `end`."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class LogStretch:
    """What one read of a log found."""

    records: tuple[LogRecord, ...]
    next_offset: int
    end_offset: int


def append_record(transaction: Transaction, stored: StoredTable, record: NewRecord) -> Appended:
    """Append a record once, inside the caller's savepoint.

    Raises:
        TokenReused: The token has named another effect.
    """
    before = stored.tokens.recall(transaction, record)
    if before is not None:
        return Appended(*before)
    connection = transaction.connection
    key = stored.keys.partition(record.key)
    partition = log_partition(key, stored.table.log_partitions)
    head = connection.one(statements.GET_LOG_HEAD, stored.id, partition)
    first, offset, last_time_us = head or (0, 0, 0)
    time_us = max(transaction.now_us, last_time_us)
    body = stored.rows.encode(record.columns)
    connection.execute(statements.PUT_LOG_RECORD, stored.id, partition, offset, time_us, key, body)
    connection.execute(statements.PUT_LOG_HEAD, stored.id, partition, first, offset + 1, time_us)
    stored.tokens.remember(transaction, record, partition, offset, time_us)
    return Appended(partition=partition, offset=offset, time_us=time_us)


def read_log(
    connection: Connection, stored: StoredTable, operation: ReadLog, now_us: int
) -> LogStretch:
    """Read one page of a partition.

    Raises:
        OffsetOutOfRange: The start has been purged or does not exist yet.
        InvalidArgument: The table has no such partition.
    """
    partition = operation.partition
    if not 0 <= partition < stored.table.log_partitions:
        raise InvalidArgument(
            f"log {stored.table.full_name} has no partition {partition}; it has 0 to "
            f"{stored.table.log_partitions - 1}",
            details={"table": stored.table.full_name, "partition": str(partition)},
        )
    kept = kept_records(connection, stored, partition, now_us)
    start = _resolve(connection, stored, operation, kept)
    records: list[LogRecord] = []
    bytes_taken = 0
    found = connection.stream(statements.READ_LOG, stored.id, partition, start)
    with closing(found):
        for offset, time_us, key, body in found:
            bytes_taken += len(key) + len(body)
            is_full = len(records) >= operation.records_max or bytes_taken > operation.bytes_max
            if records and is_full:
                break
            columns = stored.rows.decode(body)
            values = stored.keys.key(key).partition
            records.append(LogRecord(partition, offset, time_us, values, columns))
    next_offset = records[-1].offset + 1 if records else start
    return LogStretch(tuple(records), next_offset, kept.end)


def kept_records(connection: Connection, stored: StoredTable, partition: int, now_us: int) -> Kept:
    """Return which records of a partition are neither purged nor past retention."""
    head = connection.one(statements.GET_LOG_HEAD, stored.id, partition)
    if head is None:
        return Kept(0, 0)
    kept = Kept(first=head[0], end=head[1])
    if stored.table.ttl_us is None:
        return kept
    oldest_us = now_us - stored.table.ttl_us + 1
    return Kept(_first_at(connection, stored, partition, kept, oldest_us), kept.end)


def _resolve(connection: Connection, stored: StoredTable, operation: ReadLog, kept: Kept) -> int:
    """Return the offset at which a read begins."""
    start: LogStart = operation.start
    match start:
        case FromEarliest():
            return kept.first
        case FromLatest():
            return kept.end
        case FromTime(time_us=time_us):
            return _first_at(connection, stored, operation.partition, kept, time_us)
        case FromOffset(offset=offset):
            if kept.first <= offset <= kept.end:
                return offset
            raise OffsetOutOfRange(
                f"offset {offset} of partition {operation.partition} of "
                f"{stored.table.full_name} is not kept: the earliest is {kept.first}, the end "
                f"is {kept.end}; begin there",
                details={"earliest": str(kept.first), "end": str(kept.end)},
            )


def _first_at(
    connection: Connection, stored: StoredTable, partition: int, kept: Kept, time_us: int
) -> int:
    """Return the first offset whose record was appended at or after a time, by halving."""
    low, high = kept.first, kept.end
    while low < high:
        middle = (low + high) // 2
        row = connection.one(statements.LOG_RECORD_TIME, stored.id, partition, middle)
        if row is None:
            raise Corrupt(
                f"record {middle} of partition {partition} of {stored.table.full_name} is "
                "missing from the file; restore it from a backup",
                details={"table": stored.table.full_name, "partition": str(partition)},
            )
        if row[0] < time_us:
            low = middle + 1
        else:
            high = middle
    return low
