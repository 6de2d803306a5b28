"""Reads of logs: where a page begins, what is kept, and the records of the buckets."""

from __future__ import annotations

from dataclasses import dataclass, field

from taulu.model import (
    Corrupt,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    InvalidArgument,
    LogRecord,
    OffsetOutOfRange,
    ReadLog,
)
from taulu_cassandra import statements
from taulu_cassandra._driver import CqlRow
from taulu_cassandra.calls import Call
from taulu_cassandra.cql_types import as_value
from taulu_cassandra.log_ground import BUCKET_RECORDS, LogState, read_head, to_record
from taulu_cassandra.reading import CHUNK_ROWS
from taulu_cassandra.stored import StoredTable


@dataclass(frozen=True, slots=True)
class LogStretch:
    """What one read of a log found."""

    records: tuple[LogRecord, ...]
    next_offset: int
    end_offset: int


@dataclass(slots=True)
class Fronts:
    """Where the kept records of partitions began when this process last looked."""

    _known: dict[tuple[str, int], tuple[int, int]] = field(
        default_factory=dict[tuple[str, int], tuple[int, int]]
    )

    def begin(self, place: tuple[str, int], time_us: int) -> int:
        """Return an offset from which to look for the first record since a time."""
        since_us, offset = self._known.get(place, (0, 0))
        return offset if since_us <= time_us else 0

    def found(self, place: tuple[str, int], time_us: int, offset: int) -> None:
        """Remember the first record since a time."""
        self._known[place] = (time_us, offset)


@dataclass(frozen=True, slots=True)
class LogReading:
    """One read of one log partition."""

    stored: StoredTable
    fronts: Fronts
    call: Call
    partition: int

    async def read(self, operation: ReadLog) -> LogStretch:
        """Read one page.

        Raises:
            OffsetOutOfRange: The start has been purged or does not exist yet.
            InvalidArgument: The table has no such partition.
        """
        table = self.stored.layout.table
        if not 0 <= self.partition < table.log_partitions:
            raise InvalidArgument(
                f"log {table.full_name} has no partition {self.partition}; it has 0 to "
                f"{table.log_partitions - 1}",
                details={"table": table.full_name, "partition": str(self.partition)},
            )
        quorum = self.stored.layout.levels.quorum
        _, state = await read_head(self.stored, self.partition, quorum, self.call)
        first = await self._first_kept(state)
        start = await self._start(operation, state, first)
        records = await self._page(operation, state, start)
        next_offset = records[-1].offset + 1 if records else start
        return LogStretch(tuple(records), next_offset, state.next_offset)

    async def _first_kept(self, state: LogState) -> int:
        """Return the offset of the oldest record that is not past retention."""
        ttl_us = self.stored.layout.table.ttl_us
        if ttl_us is None:
            return 0
        place = (self.stored.name, self.partition)
        oldest_us = state.now_us - ttl_us + 1
        first = await self._first_since(state, oldest_us, self.fronts.begin(place, oldest_us))
        self.fronts.found(place, oldest_us, first)
        return first

    async def _start(self, operation: ReadLog, state: LogState, first: int) -> int:
        """Return the offset at which a read begins."""
        match operation.start:
            case FromEarliest():
                return first
            case FromLatest():
                return state.next_offset
            case FromTime(time_us=time_us):
                return await self._first_since(state, time_us, first)
            case FromOffset(offset=offset):
                if first <= offset <= state.next_offset:
                    return offset
                raise OffsetOutOfRange(
                    f"offset {offset} of partition {self.partition} of {self.stored.name} is "
                    f"not kept: the earliest is {first}, the end is {state.next_offset}; begin "
                    "there",
                    details={"earliest": str(first), "end": str(state.next_offset)},
                )

    async def _first_since(self, state: LogState, time_us: int, low: int) -> int:
        """Return the first offset from `low` on that was appended at or after a time.

        Times never decrease with offsets, so it is found by halving. A record that is missing
        was dropped for its age.
        """
        high = state.next_offset
        if low < high:
            # Most logs have kept their front since the last look.
            found_us = await self._time_at(state, low)
            if found_us is not None and found_us >= time_us:
                return low
        while low < high:
            middle = (low + high) // 2
            found_us = await self._time_at(state, middle)
            if found_us is None or found_us < time_us:
                low = middle + 1
            else:
                high = middle
        return low

    async def _time_at(self, state: LogState, offset: int) -> int | None:
        for record in state.pending:
            if record.offset == offset:
                return record.time_us
        layout = self.stored.layout
        values = (self.partition, offset // BUCKET_RECORDS, offset)
        bound = await self.stored.bind(statements.select_record_time(layout), *values)
        found = await self.stored.calls.read(bound, layout.levels.quorum, self.call)
        return found[0][0] if found else None

    async def _page(self, operation: ReadLog, state: LogState, start: int) -> list[LogRecord]:
        layout = self.stored.layout
        records: list[LogRecord] = []
        bytes_taken = 0
        offset = start
        while offset < state.next_offset:
            chunk = await self._chunk(operation, state, offset)
            for record in chunk:
                bytes_taken += len(layout.keys.partition(record.key))
                bytes_taken += len(layout.rows.encode(record.columns))
                is_full = len(records) >= operation.records_max
                if records and (is_full or bytes_taken > operation.bytes_max):
                    return records
                records.append(record)
            offset = records[-1].offset + 1
        return records

    async def _chunk(self, operation: ReadLog, state: LogState, offset: int) -> list[LogRecord]:
        """Return the records from an offset on that one request returns: at least one.

        Raises:
            Corrupt: The record at the offset is nowhere.
        """
        layout = self.stored.layout
        bucket = offset // BUCKET_RECORDS
        limit = min(CHUNK_ROWS, operation.records_max + 1)
        bound = await self.stored.bind(
            statements.select_records(layout), self.partition, bucket, offset, limit
        )
        found = await self.stored.calls.read(bound, layout.levels.quorum, self.call)
        by_offset = {fields[0]: self._record(fields) for fields in found}
        for pending in state.pending:
            by_offset.setdefault(pending.offset, to_record(self.stored, self.partition, pending))
        chunk: list[LogRecord] = []
        while len(chunk) < limit and offset < state.next_offset and offset in by_offset:
            chunk.append(by_offset[offset])
            offset += 1
        if not chunk:
            raise Corrupt(
                f"record {offset} of partition {self.partition} of {self.stored.name} is "
                "missing; repair the table, or restore it from a backup",
                details={"table": self.stored.name, "partition": str(self.partition)},
            )
        return chunk

    def _record(self, fields: CqlRow) -> LogRecord:
        layout = self.stored.layout
        width = 2 + len(layout.partition)
        key = layout.read_partition(fields[2:width])
        values = zip(layout.columns, fields[width:], strict=True)
        columns = {f.name: as_value(f.decode(v)) for f, v in values if v is not None}
        return LogRecord(self.partition, fields[0], fields[1], key, columns)
