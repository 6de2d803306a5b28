"""Each item of a batch is checked by itself: a wrong one fails alone, the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar, cast

from taulu.model.clock import Clock
from taulu.model.consistency import Facts
from taulu.model.operation import (
    AppendRecords,
    ChangeCounters,
    CounterChange,
    GetCounters,
    GetRows,
    NewRecord,
    Operation,
    WriteRows,
    WriteUnit,
)
from taulu.model.result import (
    AppendResults,
    CounterReads,
    CounterResults,
    RowReads,
    WriteResults,
)
from taulu.model.row import Key
from taulu.model.table import Table
from taulu.policy.sift import merge, sift
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")
OperationT = TypeVar("OperationT", bound=Operation[object])


class Check:
    """One rule about what is sent to a table.

    Each method returns what it was given, perhaps normalised, or raises a `CallerError`. A
    rule overrides the methods that it has something to say about.
    """

    def key(self, key: Key) -> Key:
        """Check a key to read."""
        return key

    def unit(self, unit: WriteUnit) -> WriteUnit:
        """Check a write unit."""
        return unit

    def change(self, change: CounterChange) -> CounterChange:
        """Check a counter change."""
        return change

    def record(self, record: NewRecord) -> NewRecord:
        """Check a log record."""
        return record

    def whole(self, operation: OperationT) -> OperationT:
        """Check what concerns the whole operation, whatever its items are."""
        return operation


class _Batch(NamedTuple):
    """Where an operation has its items, which check they get, and what holds their outcomes."""

    items: str
    check: str
    result: Callable[[tuple[Any, ...], Facts], Any]


_BATCHES: dict[type[Operation[Any]], _Batch] = {
    GetRows: _Batch("keys", "key", RowReads),
    GetCounters: _Batch("keys", "key", CounterReads),
    WriteRows: _Batch("units", "unit", WriteResults),
    ChangeCounters: _Batch("changes", "change", CounterResults),
    AppendRecords: _Batch("records", "record", AppendResults),
}


@dataclass(frozen=True, slots=True)
class Screen:
    """Runs its checks over every item and hands on only those that passed them all."""

    next: Handler
    table: Table
    checks: tuple[Check, ...]
    clock: Clock

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Check all items, run the next handler on the good ones, merge in order."""
        for check in self.checks:
            operation = check.whole(operation)
        batch = _BATCHES.get(type(operation))
        if batch is None:
            return await self.next(operation, context)
        steps = [getattr(check, batch.check) for check in self.checks]

        def run_all(item: object) -> object:
            for step in steps:
                item = step(item)
            return item

        good, failed = sift(getattr(operation, batch.items), run_all)
        passed = replace(operation, **{batch.items: good})
        if not failed:
            return await self.next(passed, context)
        if good:
            answer: Any = await self.next(passed, context)
        else:
            level = self.table.read_level
            answer = batch.result((), Facts(level, version=0, as_of_us=self.clock.now_us()))
        return cast(ResultT, replace(answer, outcomes=merge(answer.outcomes, failed)))
