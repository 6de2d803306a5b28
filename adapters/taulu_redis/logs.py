"""Logs: appends as runs of a script, its answers as outcomes, and pages of a partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from taulu.codec import log_partition
from taulu.model import (
    Appended,
    AppendOutcome,
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
)
from taulu_redis._driver import Argument, Reply
from taulu_redis.calls import Command
from taulu_redis.keys import spell_key
from taulu_redis.layout import Layout
from taulu_redis.scripts import APPEND_RECORD, READ_LOG
from taulu_redis.tokens import Moment, reused, token_key

_TIME_FIELD = b"@time"
_KEY_FIELD = b"@key"


@dataclass(frozen=True, slots=True)
class LogStretch:
    """What one read of a log found."""

    records: tuple[LogRecord, ...]
    next_offset: int
    end_offset: int


def append_command(layout: Layout, record: NewRecord, moment: Moment) -> Command:
    """Return the run of a script that appends a record."""
    spot = layout.spots.bucket(partition_of(layout, record))
    keys = [spot.shared("records"), spot.shared("head"), token_key(spot, record)]
    retention_us = layout.table.ttl_us
    arguments: list[Argument] = [
        *moment.opening(record),
        "" if retention_us is None else retention_us,
        *(_KEY_FIELD, spell_key(layout.table.partition_key, record.key)),
        *layout.columns.to_fields(record.columns),
    ]
    return Command.run(APPEND_RECORD, keys, arguments)


def partition_of(layout: Layout, record: NewRecord) -> int:
    """Return the partition that a record belongs to."""
    return log_partition(layout.keys.partition(record.key), layout.table.log_partitions)


def outcome_of(layout: Layout, record: NewRecord, answer: Reply | TauluError) -> AppendOutcome:
    """Return the outcome of an append from what its script answered."""
    if isinstance(answer, TauluError):
        return Failed(answer)
    verdict, *facts = cast("list[bytes]", answer)
    if verdict == b"done":
        offset, time_us = facts[0].split(b" ")
        return Appended(partition_of(layout, record), int(offset), int(time_us))
    return Failed(reused(layout.table.full_name, record))


def read_command(layout: Layout, operation: ReadLog, now_us: int) -> Command:
    """Return the run of a script that reads a page.

    Raises:
        InvalidArgument: The table has no such partition.
    """
    partition, table = operation.partition, layout.table
    if not 0 <= partition < table.log_partitions:
        raise InvalidArgument(
            f"log {table.full_name} has no partition {partition}; it has 0 to "
            f"{table.log_partitions - 1}",
            details={"table": table.full_name, "partition": str(partition)},
        )
    spot = layout.spots.bucket(partition)
    oldest_us = "" if table.ttl_us is None else now_us - table.ttl_us + 1
    arguments: list[Argument] = [oldest_us, *_start(operation)]
    arguments += [operation.records_max, operation.bytes_max]
    return Command.run(READ_LOG, [spot.shared("records"), spot.shared("head")], arguments)


def _start(operation: ReadLog) -> tuple[str, Argument]:
    match operation.start:
        case FromOffset(offset=offset):
            return "offset", offset
        case FromTime(time_us=time_us):
            return "time", time_us
        case FromEarliest():
            return "earliest", ""
        case FromLatest():
            return "latest", ""


def stretch_of(layout: Layout, operation: ReadLog, answer: Reply) -> LogStretch:
    """Return a page from what its script answered.

    Raises:
        OffsetOutOfRange: The start has been purged or does not exist yet.
        Corrupt: A record cannot be read.
    """
    first, end, start, entries = cast(
        "tuple[bytes, bytes, bytes, list[tuple[bytes, list[bytes]]]]", answer
    )
    offset = int(start)
    if isinstance(operation.start, FromOffset):
        offset = operation.start.offset
        if not int(first) <= offset <= int(end):
            raise OffsetOutOfRange(
                f"offset {offset} of partition {operation.partition} of "
                f"{layout.table.full_name} is not kept: the earliest is {int(first)}, the end is "
                f"{int(end)}; begin there",
                details={"earliest": str(int(first)), "end": str(int(end))},
            )
    records = tuple(_record(layout, operation.partition, entry) for entry in entries)
    next_offset = records[-1].offset + 1 if records else offset
    return LogStretch(records, next_offset, int(end))


def _record(layout: Layout, partition: int, entry: tuple[bytes, list[bytes]]) -> LogRecord:
    entry_id, texts = entry
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    offset = int(entry_id.partition(b"-")[0])
    try:
        time_us, name = int(fields[_TIME_FIELD]), fields[_KEY_FIELD].decode()
    except (KeyError, ValueError) as error:
        raise Corrupt(
            f"record {offset} of partition {partition} of {layout.table.full_name} cannot be read",
            details={"table": layout.table.full_name, "partition": str(partition)},
        ) from error
    key = layout.spots.partition(name)
    return LogRecord(partition, offset, time_us, key, layout.columns.from_fields(fields))
