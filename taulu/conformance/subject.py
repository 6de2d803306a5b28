"""The thing under test, with the calls that the tests make on it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from taulu.conformance.harness import Execute, Harness, ShiftedClock
from taulu.model import (
    WHOLE_PARTITION,
    Absent,
    Appended,
    AppendOutcome,
    AppendRecords,
    ChangeCounters,
    Changed,
    ClusteringRange,
    Condition,
    Contention,
    Counter,
    CounterChange,
    CounterOutcome,
    Failed,
    FromEarliest,
    GetCounters,
    GetRows,
    IdempotencyToken,
    Key,
    Kind,
    LogPage,
    LogStart,
    Mutation,
    NewRecord,
    Overloaded,
    Page,
    Partition,
    Put,
    QueryRows,
    ReadLog,
    Row,
    RowOutcome,
    RowPage,
    ScanRows,
    Value,
    WriteOutcome,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.model.operation import Operation
from taulu.spi import Context, Feature

ResultT = TypeVar("ResultT")

TIMEOUT_S = 60.0
"""How long one call of the suite may take."""
PAGE_BYTES = 1_000_000
_PAGES_MAX = 10_000
_ATTEMPTS_MAX = 50
_REST_S = 0.02


@dataclass(frozen=True, slots=True)
class Subject:
    """A running subject. Methods raise the error of a failed item, batches return outcomes."""

    harness: Harness
    execute: Execute
    clock: ShiftedClock
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def name(self, stem: str = "") -> str:
        """Return a key text that no other test uses."""
        return f"{self.run_id}/{stem}"

    def token(self) -> IdempotencyToken:
        """Return a new token."""
        return IdempotencyToken(self.clock.now_us(), uuid.uuid4().hex)

    def need(self, kind: Kind, *features: Feature) -> None:
        """Skip the test when the subject does not declare what it is about."""
        has = self.harness.capabilities
        missing = [feature.value for feature in features if feature not in has.features]
        if kind not in has.kinds:
            missing.append(kind.value)
        if missing:
            pytest.skip(f"not declared: {', '.join(missing)}")

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for the subject: by its clock, or in truth when it has its own."""
        if self.harness.follows_clock:
            self.clock.shift_us += int(seconds * 1_000_000)
        else:
            await asyncio.sleep(seconds)

    async def run(self, operation: Operation[ResultT]) -> ResultT:
        """Carry out an operation; one that met other writers is sent again, as a client would."""
        for _ in range(_ATTEMPTS_MAX):
            try:
                return await self.execute(
                    operation, Context(deadline=self.clock.monotonic() + TIMEOUT_S)
                )
            except (Contention, Overloaded):
                await asyncio.sleep(_REST_S)
        return await self.execute(operation, Context(deadline=self.clock.monotonic() + TIMEOUT_S))

    async def get(
        self, table: str, *keys: Key, columns: tuple[str, ...] = ()
    ) -> tuple[RowOutcome, ...]:
        """Read rows."""
        return (await self.run(GetRows(table, keys, columns))).outcomes

    async def row(self, table: str, key: Key) -> Row | None:
        """Read one row; None when it is absent."""
        (outcome,) = await self.get(table, key)
        if isinstance(outcome, Failed):
            raise outcome.error
        return None if isinstance(outcome, Absent) else outcome

    async def write_units(self, table: str, *units: WriteUnit) -> tuple[WriteOutcome, ...]:
        """Apply units, and apply again alone those that met other writers."""
        outcomes = list((await self.run(WriteRows(table, units))).outcomes)
        for _ in range(_ATTEMPTS_MAX):
            again = [i for i, done in enumerate(outcomes) if _met_others(done)]
            if not again:
                break
            await asyncio.sleep(_REST_S)
            redone = await self.run(WriteRows(table, tuple(units[i] for i in again)))
            for i, outcome in zip(again, redone.outcomes, strict=True):
                outcomes[i] = outcome
        return tuple(outcomes)

    async def write(
        self,
        table: str,
        *mutations: Mutation,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Apply one unit."""
        unit = WriteUnit(mutations, token or self.token(), tuple(conditions))
        (outcome,) = await self.write_units(table, unit)
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome

    async def put(
        self,
        table: str,
        key: Key,
        columns: Mapping[str, Value],
        *,
        ttl_s: float | None = None,
        conditions: Sequence[Condition] = (),
    ) -> Written:
        """Put one row."""
        ttl_us = None if ttl_s is None else int(ttl_s * 1_000_000)
        return await self.write(table, Put(key, columns, ttl_us), conditions=conditions)

    async def query_page(
        self,
        partition: Partition,
        page: Page,
        *,
        table: str,
        span: ClusteringRange = WHOLE_PARTITION,
        reverse: bool = False,
    ) -> RowPage:
        """Read one page of a partition."""
        return await self.run(QueryRows(table, partition, page, span, reverse))

    async def query(
        self,
        table: str,
        partition: Partition,
        span: ClusteringRange = WHOLE_PARTITION,
        *,
        reverse: bool = False,
        rows_max: int = 3,
    ) -> list[Row]:
        """Read a stretch of a partition, page by page to its end."""
        page: Page | None = Page(rows_max, PAGE_BYTES)
        rows: list[Row] = []
        for _ in range(_PAGES_MAX):
            if page is None:
                return rows
            got = await self.query_page(partition, page, table=table, span=span, reverse=reverse)
            assert got.rows or not (got.next_position or got.next_token)
            rows += got.rows
            page = next_page(page, got)
        raise AssertionError("the pages of a query have no end")

    async def scan(self, table: str, segment: int = 0, segment_count: int = 1) -> list[Row]:
        """Read a segment of a table, page by page to its end."""
        page: Page | None = Page(50, PAGE_BYTES)
        rows: list[Row] = []
        for _ in range(_PAGES_MAX):
            if page is None:
                return rows
            got = await self.run(ScanRows(table, page, segment, segment_count))
            rows += got.rows
            page = next_page(page, got)
        raise AssertionError("the pages of a scan have no end")

    async def change_all(self, table: str, *changes: CounterChange) -> tuple[CounterOutcome, ...]:
        """Change counters, and change again alone those that met other writers."""
        outcomes = list((await self.run(ChangeCounters(table, changes))).outcomes)
        for _ in range(_ATTEMPTS_MAX):
            again = [i for i, done in enumerate(outcomes) if _met_others(done)]
            if not again:
                break
            await asyncio.sleep(_REST_S)
            redone = await self.run(ChangeCounters(table, tuple(changes[i] for i in again)))
            for i, outcome in zip(again, redone.outcomes, strict=True):
                outcomes[i] = outcome
        return tuple(outcomes)

    async def change(self, table: str, change: CounterChange) -> Changed:
        """Change one counter."""
        (outcome,) = await self.change_all(table, change)
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome

    async def counter(self, table: str, key: Key) -> Counter:
        """Read one counter."""
        (outcome,) = (await self.run(GetCounters(table, (key,)))).outcomes
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome

    async def append_all(self, table: str, *records: NewRecord) -> tuple[AppendOutcome, ...]:
        """Append records."""
        return (await self.run(AppendRecords(table, records))).outcomes

    async def append(
        self,
        table: str,
        source: str,
        columns: Mapping[str, Value],
        token: IdempotencyToken | None = None,
    ) -> Appended:
        """Append one record."""
        record = NewRecord((source,), columns, token or self.token())
        (outcome,) = await self.append_all(table, record)
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome

    async def read_log(
        self,
        table: str,
        partition: int,
        start: LogStart | None = None,
        *,
        records_max: int = 1_000,
        wait_s: float = 0.0,
    ) -> LogPage:
        """Read one page of a log partition, from its beginning when no start is given."""
        return await self.run(
            ReadLog(
                table, partition, start or FromEarliest(), records_max, PAGE_BYTES, wait_s=wait_s
            )
        )


def next_page(page: Page, got: RowPage) -> Page | None:
    """Return how to ask for the page behind one that was got; None at the end."""
    if not (got.next_position or got.next_token):
        return None
    return replace(page, position=got.next_position, token=got.next_token)


def _met_others(outcome: object) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.error, (Contention, Overloaded))
