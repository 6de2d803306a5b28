"""Tables and a recording handler for the tests of single policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from taulu.model import (
    Appended,
    AppendRecords,
    AppendResults,
    ChangeCounters,
    Changed,
    ClusteringColumn,
    Column,
    ColumnType,
    Counter,
    CounterReads,
    CounterResults,
    Facts,
    GetCounters,
    GetRows,
    IdempotencyToken,
    Kind,
    Level,
    LogPage,
    QueryRows,
    ReadLog,
    Row,
    RowPage,
    RowReads,
    ScanRows,
    Table,
    TypeName,
    WriteResults,
    WriteRows,
    Written,
)
from taulu.spi import Context

FACTS = Facts(Level.LINEARIZABLE, version=7, as_of_us=1_000)
CONTEXT = Context(deadline=100.0)


def column(name: str, type_name: TypeName, **more: Any) -> Column:
    return Column(name, ColumnType(type_name, **more))


def token(nonce: str = "nonce-0001", create_time_us: int = 0) -> IdempotencyToken:
    return IdempotencyToken(create_time_us, nonce)


ORDERS = Table(
    "shop",
    "orders",
    Kind.WIDE,
    (column("customer", TypeName.STRING),),
    (ClusteringColumn(column("number", TypeName.INT64)),),
    (
        column("amount", TypeName.DECIMAL),
        column("embedding", TypeName.VECTOR, size=2),
        column("labels", TypeName.LIST, element=ColumnType(TypeName.STRING)),
        column("paid", TypeName.BOOL),
        column("ratio", TypeName.FLOAT64),
        column("seen", TypeName.MAP, element=ColumnType(TypeName.INT64)),
        column("when", TypeName.TIMESTAMP),
    ),
)
CREDITS = Table("shop", "credits", Kind.COUNTER, (column("customer", TypeName.STRING),))
EVENTS = Table(
    "shop",
    "events",
    Kind.LOG,
    (column("customer", TypeName.STRING),),
    (),
    (column("what", TypeName.STRING),),
    log_partitions=4,
)


def answer(operation: Any) -> Any:
    """Answer as an adapter would that succeeds at everything."""
    match operation:
        case GetRows(keys=keys):
            return RowReads(tuple(Row(key, {}, 7) for key in keys), FACTS)
        case QueryRows() | ScanRows():
            return RowPage((), FACTS, next_position=b"here")
        case WriteRows(units=units):
            return WriteResults(tuple(Written(7) for _ in units), FACTS)
        case ChangeCounters(changes=changes):
            return CounterResults(tuple(Changed(Counter(c.key, 1)) for c in changes), FACTS)
        case GetCounters(keys=keys):
            return CounterReads(tuple(Counter(key, 1) for key in keys), FACTS)
        case AppendRecords(records=records):
            return AppendResults(tuple(Appended(0, n, 1) for n, _ in enumerate(records)), FACTS)
        case ReadLog():
            return LogPage((), 0, 0, FACTS)
        case _:
            raise AssertionError(operation)


@dataclass
class Recorder:
    """The next handler: it keeps what reached it."""

    answer: Callable[[Any], Any] = answer
    seen: list[Any] = field(default_factory=list)

    async def __call__(self, operation: Any, context: Context) -> Any:
        self.seen.append(operation)
        return self.answer(operation)


@dataclass
class DrivenClock:
    """A clock that stands still until it is told otherwise."""

    wall_us: int = 0
    seconds: float = 0.0

    def now_us(self) -> int:
        return self.wall_us

    def monotonic(self) -> float:
        return self.seconds
