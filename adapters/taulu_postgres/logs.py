"""Logs: consecutive offsets per partition, times that never decrease, retention from the front.

A partition's head row is its lock: it is held until the append commits, so offsets are given
out in the order of commits, and a reader that sees an end sees all that lies before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from taulu.codec import log_partition, timestamp_from_us, timestamp_to_us
from taulu.model import (
    Appended,
    Corrupt,
    Failed,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    InvalidArgument,
    LogRecord,
    NewRecord,
    OffsetOutOfRange,
    ReadLog,
    TauluError,
    Value,
)
from taulu_postgres import log_statements
from taulu_postgres._driver import Call, SqlRow
from taulu_postgres.stored import StoredTable
from taulu_postgres.tokens import TokenBook, read_tokens
from taulu_postgres.transaction import Decision, Plan


@dataclass(frozen=True, slots=True)
class LogStretch:
    """What one read of a log found."""

    records: tuple[LogRecord, ...]
    next_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a partition begins and ends, retention counted, and where a time begins in it."""

    first: int
    end: int
    since: int


def check_record(stored: StoredTable, record: NewRecord) -> None:
    """Raise when a value of a record cannot be stored."""
    _partition(stored, record)
    log_statements.key_values(stored, record.key)
    stored.column_values(record.columns)
    stored.rows.encode(record.columns)


def plan_records(stored: StoredTable, records: Sequence[NewRecord], now_us: int) -> Plan[Appended]:
    """Plan a batch of records."""
    partitions = sorted({_partition(stored, record) for record in records})
    reads = [log_statements.lock_heads(stored, partitions), read_tokens(stored, records)]

    def decide(answers: list[list[SqlRow]]) -> Decision[Appended]:
        found, tokens = answers
        heads = {partition: (end, timestamp_to_us(time)) for partition, end, time in found}
        book = TokenBook(stored, tokens, now_us)
        added: list[tuple[Appended, NewRecord]] = []

        def append(record: NewRecord) -> Appended:
            before = book.recall(record)
            if before is not None:
                return Appended(*before)
            partition = _partition(stored, record)
            offset, last_us = heads[partition]
            time_us = max(now_us, last_us)
            heads[partition] = offset + 1, time_us
            book.remember(record, partition, offset, time_us)
            appended = Appended(partition, offset, time_us)
            added.append((appended, record))
            return appended

        outcomes: list[Appended | Failed] = []
        for record in records:
            try:
                outcomes.append(append(record))
            except TauluError as error:
                outcomes.append(Failed(error))
        if not added:
            return Decision(outcomes, [])
        ends = {done.partition: heads[done.partition] for done, _ in added}
        calls = [log_statements.insert(stored, added), log_statements.move_heads(stored, ends)]
        return Decision(outcomes, [*calls, *book.calls()])

    return Plan(reads, decide)


def _partition(stored: StoredTable, record: NewRecord) -> int:
    return log_partition(stored.keys.partition(record.key), stored.table.log_partitions)


def check_partition(stored: StoredTable, partition: int) -> None:
    """Refuse a partition that a log does not have.

    Raises:
        InvalidArgument: The table has no such partition.
    """
    if not 0 <= partition < stored.table.log_partitions:
        raise InvalidArgument(
            f"log {stored.table.full_name} has no partition {partition}; it has 0 to "
            f"{stored.table.log_partitions - 1}",
            details={"table": stored.table.full_name, "partition": str(partition)},
        )


def kept_call(stored: StoredTable, operation: ReadLog, now_us: int) -> Call:
    """Return the statement that tells where a partition, and the read, begin and end."""
    ttl_us = stored.table.ttl_us
    oldest = None if ttl_us is None else timestamp_from_us(now_us - ttl_us + 1)
    since = None
    if isinstance(operation.start, FromTime):
        since = log_statements.time_within_years(operation.start.time_us)
    return log_statements.kept(stored, operation.partition, oldest, since)


def records_call(stored: StoredTable, operation: ReadLog, start: int) -> Call:
    """Return the statement that reads one page from an offset."""
    return log_statements.read(stored, operation.partition, start, operation.records_max)


def kept_of(stored: StoredTable, operation: ReadLog, found: list[SqlRow]) -> Kept:
    """Return what `kept_call` found."""
    if not found:
        raise Corrupt(
            f"partition {operation.partition} of {stored.table.full_name} has lost its head; "
            "restore the database from a backup",
            details={"table": stored.table.full_name, "partition": str(operation.partition)},
        )
    return Kept(*found[0])


def lost_records(stored: StoredTable, operation: ReadLog) -> Corrupt:
    """Return the error of records that should be there and are not."""
    return Corrupt(
        f"records of partition {operation.partition} of {stored.table.full_name} are missing; "
        "restore the database from a backup",
        details={"table": stored.table.full_name, "partition": str(operation.partition)},
    )


def start_of(stored: StoredTable, operation: ReadLog, kept: Kept) -> int:
    """Return the offset at which a read begins.

    Raises:
        OffsetOutOfRange: It has been purged or does not exist yet.
    """
    match operation.start:
        case FromEarliest():
            return kept.first
        case FromLatest():
            return kept.end
        case FromTime():
            return max(kept.first, kept.since)
        case FromOffset(offset=offset):
            if kept.first <= offset <= kept.end:
                return offset
            raise OffsetOutOfRange(
                f"offset {offset} of partition {operation.partition} of "
                f"{stored.table.full_name} is not kept: the earliest is {kept.first}, the end "
                f"is {kept.end}; begin there",
                details={"earliest": str(kept.first), "end": str(kept.end)},
            )


def stretch_of(
    stored: StoredTable, operation: ReadLog, kept: Kept, found: Sequence[SqlRow]
) -> LogStretch | None:
    """Return a page of what `records_call` found; None when it was purged under the reader."""
    start = start_of(stored, operation, kept)
    records: list[LogRecord] = []
    bytes_taken = 0
    for fields in found:
        if fields[0] >= kept.end:
            break
        record = _record(stored, operation.partition, fields)
        if record.offset != start + len(records):
            return None
        bytes_taken += len(stored.keys.partition(record.key))
        bytes_taken += len(stored.rows.encode(record.columns))
        is_full = len(records) >= operation.records_max or bytes_taken > operation.bytes_max
        if records and is_full:
            break
        records.append(record)
    if not records and start < kept.end:
        return None
    return LogStretch(tuple(records), start + len(records), kept.end)


def _record(stored: StoredTable, partition: int, fields: SqlRow) -> LogRecord:
    offset, time, *rest = fields
    split = len(stored.partition_types)
    key = tuple(
        held.decode(value)
        for (_, held), value in zip(stored.partition_types, rest[:split], strict=True)
    )
    names = tuple(stored.column_types)
    columns = cast("dict[str, Value]", stored.columns_of(names, tuple(rest[split:])))
    return LogRecord(partition, offset, timestamp_to_us(time), key, columns)
