"""What can be asked of a table. Every operation is a batch; a single call is a batch of one.

An operation names its result type, so that a handler is one generic function:
`handler(operation, context) -> result`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeAlias, TypeVar

from taulu.model.consistency import TABLE_LEVEL, Consistency, Level
from taulu.model.result import (
    AppendResults,
    CounterReads,
    CounterResults,
    LogPage,
    RowPage,
    RowReads,
    WriteResults,
)
from taulu.model.row import WHOLE_PARTITION, ClusteringRange, Key, Partition
from taulu.model.table import NO_BOUNDS, Bounds, Kind
from taulu.model.token import IdempotencyToken
from taulu.model.value import KeyValue, Value

ResultT_co = TypeVar("ResultT_co", covariant=True)

ROW_KINDS = frozenset({Kind.KV, Kind.WIDE})


@dataclass(frozen=True, slots=True)
class Operation(Generic[ResultT_co]):
    """Something asked of one table."""

    kinds: ClassVar[frozenset[Kind]] = frozenset()
    """The kinds of table that take the operation."""
    is_write: ClassVar[bool] = False

    table: str
    """`namespace.table`."""


@dataclass(frozen=True, slots=True)
class Page:
    """How much of an ordered result to return, and where to begin."""

    rows_max: int
    """At least 1."""
    bytes_max: int
    """Of encoded rows; at least one row is returned whatever its size."""
    position: bytes = b""
    """Where the page before ended, in the adapter's own form; empty is the beginning."""
    token: str = ""
    """The page token as the caller sent it; the pipeline turns it into `position`."""


@dataclass(frozen=True, slots=True)
class GetRows(Operation[RowReads]):
    """Read rows by key. Outcomes stand in the order of the keys, duplicates included."""

    kinds = ROW_KINDS

    keys: tuple[Key, ...]
    columns: tuple[str, ...] = ()
    """Columns to return; empty means all."""
    consistency: Consistency = TABLE_LEVEL


@dataclass(frozen=True, slots=True)
class QueryRows(Operation[RowPage]):
    """Read one page of one partition, in clustering order."""

    kinds = frozenset({Kind.WIDE})

    partition: Partition
    page: Page
    range: ClusteringRange = WHOLE_PARTITION
    reverse: bool = False
    columns: tuple[str, ...] = ()
    consistency: Consistency = TABLE_LEVEL


@dataclass(frozen=True, slots=True)
class ScanRows(Operation[RowPage]):
    """Read one page of one segment of a table, in the adapter's own order.

    A row that exists throughout the scan is returned exactly once over all pages and segments.
    """

    kinds = ROW_KINDS

    page: Page
    segment: int = 0
    segment_count: int = 1
    columns: tuple[str, ...] = ()
    consistency: Consistency = TABLE_LEVEL


@dataclass(frozen=True, slots=True)
class Put:
    """Replace the whole row, its time to live included."""

    key: Key
    columns: Mapping[str, Value]
    ttl_us: int | None = None
    """None means the table's."""


@dataclass(frozen=True, slots=True)
class Update:
    """Change the named columns and keep the others; make the row if it is absent."""

    key: Key
    columns: Mapping[str, Value]
    """A column set to None is cleared."""
    ttl_us: int | None = None
    """None keeps the row's expiry; a row made by this update has the table's."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the row, if it is there."""

    key: Key


@dataclass(frozen=True, slots=True)
class DeleteRange:
    """Remove the rows of a partition that lie in the range."""

    partition: Partition
    range: ClusteringRange = WHOLE_PARTITION


Mutation: TypeAlias = Put | Update | Delete | DeleteRange


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """No such row exists."""

    key: Key


@dataclass(frozen=True, slots=True)
class IfPresent:
    """The row exists."""

    key: Key


@dataclass(frozen=True, slots=True)
class IfVersion:
    """The row exists with exactly this version."""

    key: Key
    version: int


@dataclass(frozen=True, slots=True)
class IfColumns:
    """The row exists and its named columns have these values; None means not set."""

    key: Key
    columns: Mapping[str, Value]


Condition: TypeAlias = IfAbsent | IfPresent | IfVersion | IfColumns


@dataclass(frozen=True, slots=True)
class WriteUnit:
    """Mutations that apply in order, together or not at all, once per token.

    Conditions are checked against the state before the first mutation, in the same
    atomic step. A unit that stays in one partition is always possible; one that crosses
    partitions needs `Feature.TRANSACTIONS`.
    """

    mutations: tuple[Mutation, ...]
    token: IdempotencyToken
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteRows(Operation[WriteResults]):
    """Apply independent units; each has an outcome of its own, in order."""

    kinds = ROW_KINDS
    is_write = True

    units: tuple[WriteUnit, ...]
    level: Level | None = None
    """None means the table's; the pipeline fills it in."""


@dataclass(frozen=True, slots=True)
class Increment:
    """Add to a counter, if value and holds stay in bounds."""

    key: Key
    delta: int
    token: IdempotencyToken
    bounds: Bounds = NO_BOUNDS
    """Besides the table's own; the tighter one holds."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set an amount aside until it is committed, released or expired.

    An amount above zero is held against the ceiling, one below zero against the floor:
    value plus any subset of the active holds stays in bounds.
    """

    key: Key
    amount: int
    hold_id: str
    ttl_us: int
    token: IdempotencyToken
    bounds: Bounds = NO_BOUNDS


@dataclass(frozen=True, slots=True)
class Commit:
    """Add all or part of an active hold to the counter and end the hold."""

    key: Key
    hold_id: str
    token: IdempotencyToken
    amount: int | None = None
    """None means all of it; never more, and of the same sign (or zero)."""


@dataclass(frozen=True, slots=True)
class Release:
    """End an active hold without effect on the value."""

    key: Key
    hold_id: str
    token: IdempotencyToken


CounterChange: TypeAlias = Increment | Reserve | Commit | Release


@dataclass(frozen=True, slots=True)
class ChangeCounters(Operation[CounterResults]):
    """Apply independent changes to counters; each has an outcome of its own, in order."""

    kinds = frozenset({Kind.COUNTER})
    is_write = True

    changes: tuple[CounterChange, ...]


@dataclass(frozen=True, slots=True)
class GetCounters(Operation[CounterReads]):
    """Read counters. One that was never written has value 0."""

    kinds = frozenset({Kind.COUNTER})

    keys: tuple[Key, ...]
    consistency: Consistency = TABLE_LEVEL


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to append. Records with equal keys go to one partition, in order."""

    key: tuple[KeyValue, ...]
    columns: Mapping[str, Value]
    token: IdempotencyToken


@dataclass(frozen=True, slots=True)
class AppendRecords(Operation[AppendResults]):
    """Append independent records; each has an outcome of its own, in order."""

    kinds = frozenset({Kind.LOG})
    is_write = True

    records: tuple[NewRecord, ...]


@dataclass(frozen=True, slots=True)
class FromOffset:
    """Begin at this offset; one below the oldest kept, or past the end, is an error."""

    offset: int


@dataclass(frozen=True, slots=True)
class FromTime:
    """Begin at the first record appended at or after this time, in microseconds since 1970."""

    time_us: int


@dataclass(frozen=True, slots=True)
class FromEarliest:
    """Begin at the oldest record kept."""


@dataclass(frozen=True, slots=True)
class FromLatest:
    """Begin at the end: only what is appended later."""


LogStart: TypeAlias = FromOffset | FromTime | FromEarliest | FromLatest


@dataclass(frozen=True, slots=True)
class ReadLog(Operation[LogPage]):
    """Read one page of one log partition, in offset order."""

    kinds = frozenset({Kind.LOG})

    partition: int
    start: LogStart
    records_max: int
    bytes_max: int
    wait_s: float = 0.0
    """How long to wait for a first record when there is none, in seconds."""
