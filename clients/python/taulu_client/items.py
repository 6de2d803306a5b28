"""What calls take and return."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from taulu.codec import timestamp_from_us
from taulu.model.consistency import Consistency, Facts, Level
from taulu.model.result import Counter
from taulu.model.token import IdempotencyToken
from taulu.model.value import KeyValue, Value
from taulu_client.shape import KeyLike

RowT = TypeVar("RowT")


def new_token() -> IdempotencyToken:
    """Return a token for one effect. Calls make their own when none is given."""
    return IdempotencyToken(time.time_ns() // 1_000, uuid.uuid4().hex)


def bounded(staleness: timedelta) -> Consistency:
    """Ask for a read that is no older than this."""
    return Consistency(Level.BOUNDED_STALENESS, staleness // timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Item(Generic[RowT]):
    """One row as it was read."""

    row: RowT
    """Key columns included."""
    version: int
    expire_time: datetime | None
    facts: Facts
    """Of the reply that it came with."""


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """One page of a query."""

    items: list[Item[RowT]]
    next_page_token: str
    """Empty at the end."""


@dataclass(frozen=True, slots=True)
class Put:
    """Replace a whole row, its time to live included."""

    row: object
    """A mapping by column name, or an instance of the table's row type."""
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change the named columns; None clears one."""

    key: KeyLike
    changes: Mapping[str, Value]
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row."""

    key: KeyLike


@dataclass(frozen=True, slots=True)
class DeleteRange:
    """Remove the rows of a partition between two prefixes of the clustering values."""

    partition: KeyLike
    start: KeyLike | None = None
    end: KeyLike | None = None
    start_exclusive: bool = False
    end_exclusive: bool = False


Mutation: TypeAlias = Put | Update | Delete | DeleteRange


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """No row has this key."""

    key: KeyLike


@dataclass(frozen=True, slots=True)
class IfPresent:
    """A row has this key."""

    key: KeyLike


@dataclass(frozen=True, slots=True)
class IfVersion:
    """The row exists with exactly this version."""

    key: KeyLike
    version: int


@dataclass(frozen=True, slots=True)
class IfColumns:
    """The row exists and its named columns have these values; None means not set."""

    key: KeyLike
    columns: Mapping[str, Value]


Condition: TypeAlias = IfAbsent | IfPresent | IfVersion | IfColumns


@dataclass(frozen=True, slots=True)
class Unit:
    """Mutations that apply together or not at all."""

    mutations: Sequence[Mutation]
    conditions: Sequence[Condition] = ()
    token: IdempotencyToken | None = None
    """None makes a new one."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount that was set aside."""

    hold_id: str
    amount: int
    expire_time: datetime
    counter: Counter
    """The state just after."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record to append."""

    key: KeyLike
    columns: Mapping[str, Value]
    token: IdempotencyToken | None = None
    """None makes a new one."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a record stands."""

    partition: int
    offset: int
    append_time: datetime


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it was read."""

    partition: int
    offset: int
    append_time: datetime
    key: Mapping[str, KeyValue]
    columns: Mapping[str, Value] = field(default_factory=dict[str, Value])


def time_of(value_us: int | None) -> datetime | None:
    """Return microseconds since 1970 as a time."""
    return None if value_us is None else timestamp_from_us(value_us)
