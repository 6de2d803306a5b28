"""What operations return. Batches have one outcome per item, in the order of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from taulu.model.consistency import Facts
from taulu.model.errors import TauluError
from taulu.model.row import Key, Row
from taulu.model.value import KeyValue, Value


@dataclass(frozen=True, slots=True)
class Absent:
    """No row has this key."""


@dataclass(frozen=True, slots=True)
class Failed:
    """This item failed; the others stand."""

    error: TauluError


RowOutcome: TypeAlias = Row | Absent | Failed


@dataclass(frozen=True, slots=True)
class RowReads:
    """Outcomes of `GetRows`, one per key."""

    outcomes: tuple[RowOutcome, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page of `QueryRows` or `ScanRows`."""

    rows: tuple[Row, ...]
    facts: Facts
    next_position: bytes = b""
    """Where the next page begins, in the adapter's own form; empty at the end."""
    next_token: str = ""
    """The page token for the caller; the pipeline makes it from `next_position`."""


@dataclass(frozen=True, slots=True)
class Written:
    """The unit is durable, with this version on every row it wrote."""

    version: int
    is_first: bool = field(default=False, compare=False)
    """Whether it is sure that this very call had the effect, and not an earlier one with the
    same token, since which the rows may have been written anew."""


WriteOutcome: TypeAlias = Written | Failed


@dataclass(frozen=True, slots=True)
class WriteResults:
    """Outcomes of `WriteRows`, one per unit."""

    outcomes: tuple[WriteOutcome, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter's state."""

    key: Key
    value: int
    held_increase: int = 0
    """Sum of active holds above zero."""
    held_decrease: int = 0
    """Sum of active holds below zero (zero or negative)."""
    version: int = 0
    """Version of the last change; 0 when it was never written."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The change is durable; the state just after it."""

    counter: Counter
    hold_expire_us: int | None = None
    """For `Reserve`: when the hold ends by itself, in microseconds since 1970."""


CounterOutcome: TypeAlias = Changed | Failed


@dataclass(frozen=True, slots=True)
class CounterResults:
    """Outcomes of `ChangeCounters`, one per change."""

    outcomes: tuple[CounterOutcome, ...]
    facts: Facts


CounterRead: TypeAlias = Counter | Failed


@dataclass(frozen=True, slots=True)
class CounterReads:
    """Outcomes of `GetCounters`, one per key."""

    outcomes: tuple[CounterRead, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class Appended:
    """The record is durable at this place."""

    partition: int
    offset: int
    time_us: int
    """When it was appended, in microseconds since 1970."""


AppendOutcome: TypeAlias = Appended | Failed


@dataclass(frozen=True, slots=True)
class AppendResults:
    """Outcomes of `AppendRecords`, one per record."""

    outcomes: tuple[AppendOutcome, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it was read."""

    partition: int
    offset: int
    time_us: int
    key: tuple[KeyValue, ...]
    columns: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class LogPage:
    """One page of `ReadLog`."""

    records: tuple[LogRecord, ...]
    next_offset: int
    """Where to read next."""
    end_offset: int
    """The offset that the next append would have got when the page was read."""
    facts: Facts
