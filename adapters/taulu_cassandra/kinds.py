"""What a prepared table needs to serve its kind, made once when it is prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from taulu.codec import log_partition
from taulu.model import (
    Appended,
    AppendOutcome,
    Changed,
    Counter,
    CounterChange,
    CounterOutcome,
    Failed,
    Key,
    Kind,
    NewRecord,
    Partition,
    WriteOutcome,
    WriteUnit,
    Written,
)
from taulu.spi import partition_of
from taulu_cassandra import statements
from taulu_cassandra.counter_ground import CounterGround, CounterState
from taulu_cassandra.lanes import Lanes
from taulu_cassandra.layout import PARTITION, Layout
from taulu_cassandra.log_ground import LogGround, LogState
from taulu_cassandra.row_ground import RowGround, RowState
from taulu_cassandra.steps import Done, Steps
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.together import together
from taulu_cassandra.tokens import TokenBook

STEP_EFFECTS_MAX = 32
"""How many units, changes or records share one conditional batch."""
STEP_BYTES_MAX = 128 * 1024
"""How many bytes of rows they may have together; Cassandra warns of batches far smaller."""


@dataclass(frozen=True, slots=True)
class SerialRows:
    """The rows of a table that writes at LINEARIZABLE."""

    stored: StoredTable
    steps: Steps[WriteUnit, RowState]

    async def write(self, units: Sequence[WriteUnit], deadline: float) -> list[WriteOutcome]:
        """Apply units, those of one partition in order, and partitions at once."""
        by_partition: dict[Partition, list[int]] = {}
        for index, unit in enumerate(units):
            by_partition.setdefault(partition_of(unit.mutations[0]), []).append(index)
        outcomes: dict[int, WriteOutcome] = {}

        async def write_some(partition: Partition, indexes: list[int]) -> None:
            ground = RowGround(self.stored, partition)
            sizes = [_unit_bytes(self.stored.layout, units[i]) for i in indexes]
            for part in _steps_of(indexes, sizes):
                results = await self.steps.take(ground, [units[i] for i in part], deadline)
                for index, result in zip(part, results, strict=True):
                    outcomes[index] = (
                        result
                        if isinstance(result, Failed)
                        else Written(result.result[0], is_first=result.is_first)
                    )

        await together(write_some(*group) for group in by_partition.items())
        return [outcomes[index] for index in range(len(units))]


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of a table."""

    stored: StoredTable
    steps: Steps[CounterChange, CounterState]

    async def change(
        self, changes: Sequence[CounterChange], deadline: float
    ) -> list[CounterOutcome]:
        """Apply changes, those of one counter in order, and counters at once."""
        by_key: dict[Key, list[int]] = {}
        for index, change in enumerate(changes):
            by_key.setdefault(change.key, []).append(index)
        outcomes: dict[int, CounterOutcome] = {}

        async def change_some(key: Key, indexes: list[int]) -> None:
            ground = CounterGround(self.stored, key)
            for part in _steps_of(indexes, [0] * len(indexes)):
                results = await self.steps.take(ground, [changes[i] for i in part], deadline)
                for index, result in zip(part, results, strict=True):
                    outcomes[index] = _changed(key, result)

        await together(change_some(*group) for group in by_key.items())
        return [outcomes[index] for index in range(len(changes))]


def _changed(key: Key, done: Done | Failed) -> CounterOutcome:
    if isinstance(done, Failed):
        return done
    result = done.result
    counter = Counter(key, *result[:4])
    return Changed(counter, hold_expire_us=result[4] if len(result) > 4 else None)


@dataclass(frozen=True, slots=True)
class Log:
    """The partitions of a log."""

    stored: StoredTable
    steps: Steps[NewRecord, LogState]
    copied: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    async def append(self, records: Sequence[NewRecord], deadline: float) -> list[AppendOutcome]:
        """Append records, those of one partition in order, and partitions at once."""
        layout = self.stored.layout
        by_partition: dict[int, list[int]] = {}
        for index, record in enumerate(records):
            key = layout.keys.partition(record.key)
            partition = log_partition(key, layout.table.log_partitions)
            by_partition.setdefault(partition, []).append(index)
        outcomes: dict[int, AppendOutcome] = {}

        async def append_some(partition: int, indexes: list[int]) -> None:
            ground = LogGround(self.stored, partition, self.copied)
            sizes = [len(layout.rows.encode(records[i].columns)) for i in indexes]
            for part in _steps_of(indexes, sizes):
                results = await self.steps.take(ground, [records[i] for i in part], deadline)
                for index, result in zip(part, results, strict=True):
                    outcomes[index] = (
                        result if isinstance(result, Failed) else Appended(*result.result)
                    )

        await together(append_some(*group) for group in by_partition.items())
        return [outcomes[index] for index in range(len(records))]


def serial_rows(stored: StoredTable, lanes: Lanes) -> SerialRows:
    """Return what writes the rows of a table that Paxos keeps."""
    return SerialRows(stored, Steps(stored, _row_tokens(stored), lanes))


def counters(stored: StoredTable, lanes: Lanes) -> Counters:
    """Return what changes the counters of a table."""
    layout = stored.layout
    names = tuple(f.name for f in (*layout.partition, *layout.clustering))
    return Counters(stored, Steps(stored, TokenBook(stored, names), lanes))


def log(stored: StoredTable, lanes: Lanes) -> Log:
    """Return what appends to the partitions of a log."""
    return Log(stored, Steps(stored, TokenBook(stored, (PARTITION,)), lanes))


def _row_tokens(stored: StoredTable) -> TokenBook:
    return TokenBook(stored, tuple(field.name for field in stored.layout.partition))


def texts_of(layout: Layout) -> list[str]:
    """Return the statements that a table of this kind always needs."""
    tokens: list[str] = []
    if layout.is_serial:
        names = [field.name for field in layout.partition]
        if layout.table.kind is Kind.LOG:
            names = [PARTITION]
        tokens = [statements.select_token(layout, names), statements.put_token(layout, names)]
    match layout.table.kind:
        case Kind.COUNTER:
            own = [statements.select_counter, statements.set_counter, statements.put_hold]
            return [*tokens, *(text(layout) for text in own), statements.delete_hold(layout)]
        case Kind.LOG:
            own = [statements.select_log_head, statements.set_log_head, statements.put_record]
            own += [statements.select_records, statements.select_record_time]
            return [*tokens, *(text(layout) for text in own)]
        case _:
            return [*tokens, *_row_texts(layout)]


def _row_texts(layout: Layout) -> list[str]:
    texts = [statements.select_scan(layout)]
    texts.append((statements.select_rows if layout.clustering else statements.select_row)(layout))
    if not layout.is_serial:
        return [*texts, statements.put_plain(layout), statements.delete_plain(layout)]
    if layout.clustering:
        texts.append(statements.select_head(layout))
    own = [statements.set_row_head, statements.put_serial, statements.delete_serial]
    return [*texts, *(text(layout) for text in own)]


def _unit_bytes(layout: Layout, unit: WriteUnit) -> int:
    columns = (getattr(mutation, "columns", None) for mutation in unit.mutations)
    return sum(len(layout.rows.encode(found)) for found in columns if found)


def _steps_of(indexes: list[int], sizes: list[int]) -> list[list[int]]:
    """Cut what is to be done into steps of bounded size, in order."""
    parts: list[list[int]] = []
    size = 0
    for index, own in zip(indexes, sizes, strict=True):
        size += own
        if not parts or len(parts[-1]) >= STEP_EFFECTS_MAX or size > STEP_BYTES_MAX:
            parts.append([])
            size = own
        parts[-1].append(index)
    return parts
