"""The partitions of one log table, as lists."""

from __future__ import annotations

from dataclasses import dataclass, field

from taulu.codec import KeyCodec, RowCodec, log_partition
from taulu.model import (
    Appended,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    InvalidArgument,
    LogRecord,
    NewRecord,
    OffsetOutOfRange,
    ReadLog,
    Table,
)
from taulu_memory.moment import Moment
from taulu_memory.tokens import TokenBook


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one read of a log found."""

    records: tuple[LogRecord, ...]
    next_offset: int
    end_offset: int


@dataclass(slots=True)
class Logs:
    """All records of a table, by partition; an offset is an index."""

    table: Table
    keys: KeyCodec
    rows: RowCodec
    tokens: TokenBook[Appended]
    held: dict[int, list[LogRecord]] = field(default_factory=dict[int, list[LogRecord]])

    def append(self, record: NewRecord, moment: Moment) -> Appended:
        """Append a record once.

        Raises:
            TokenReused: The token has named another effect.
        """
        before = self.tokens.recall(record, moment.now_us)
        if before is not None:
            return before
        partition = log_partition(self.keys.partition(record.key), self.table.log_partitions)
        records = self.held.setdefault(partition, [])
        time_us = max(moment.now_us, records[-1].time_us if records else 0)
        columns = {name: value for name, value in record.columns.items() if value is not None}
        records.append(LogRecord(partition, len(records), time_us, record.key, columns))
        appended = Appended(partition, len(records) - 1, time_us)
        self.tokens.remember(record, appended, moment.now_us)
        return appended

    def read(self, operation: ReadLog, now_us: int) -> Stretch:
        """Read one page.

        Raises:
            OffsetOutOfRange: The start has been purged or does not exist yet.
            InvalidArgument: The table has no such partition.
        """
        if not 0 <= operation.partition < self.table.log_partitions:
            raise InvalidArgument(
                f"log {self.table.full_name} has no partition {operation.partition}; it has 0 to "
                f"{self.table.log_partitions - 1}"
            )
        records = self.held.get(operation.partition, [])
        start = self._start(operation, records, now_us)
        taken: list[LogRecord] = []
        bytes_taken = 0
        for record in records[start:]:
            bytes_taken += len(self.keys.partition(record.key))
            bytes_taken += len(self.rows.encode(record.columns))
            is_full = len(taken) >= operation.records_max or bytes_taken > operation.bytes_max
            if taken and is_full:
                break
            taken.append(record)
        return Stretch(tuple(taken), start + len(taken), len(records))

    def _start(self, operation: ReadLog, records: list[LogRecord], now_us: int) -> int:
        ttl_us = self.table.ttl_us
        oldest_us = None if ttl_us is None else now_us - ttl_us + 1
        earliest = 0 if oldest_us is None else _first_at(records, oldest_us)
        match operation.start:
            case FromEarliest():
                return earliest
            case FromLatest():
                return len(records)
            case FromTime(time_us=time_us):
                return max(earliest, _first_at(records, time_us))
            case FromOffset(offset=offset):
                if earliest <= offset <= len(records):
                    return offset
                raise OffsetOutOfRange(
                    f"offset {offset} of partition {operation.partition} of "
                    f"{self.table.full_name} is not kept: the earliest is {earliest}, the end is "
                    f"{len(records)}; begin there",
                    details={"earliest": str(earliest), "end": str(len(records))},
                )


def _first_at(records: list[LogRecord], time_us: int) -> int:
    return next((r.offset for r in records if r.time_us >= time_us), len(records))
