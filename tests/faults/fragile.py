"""A memory adapter that can be cut off, and the ways in which it lies about it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TypeVar

from taulu.model import (
    Absent,
    AppendRecords,
    AppendResults,
    ChangeCounters,
    GetRows,
    LogPage,
    LogRecord,
    ReadLog,
    Row,
    RowReads,
    Table,
    Unavailable,
    WriteOutcomeUnknown,
    WriteResults,
    WriteRows,
)
from taulu.model.operation import Operation
from taulu.spi import Context, Environment
from taulu_memory import MemoryAdapter
from taulu_memory.counters import Counters
from taulu_memory.rows import Rows
from taulu_memory.tokens import TokenBook

ResultT = TypeVar("ResultT")
HANG_S = 5.0


class Fragile(MemoryAdapter):
    """Honest: when it is down it does nothing and says so, or does it and says unknown."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.is_down = False
        self.failures = 0
        """How many calls were made while it was cut off."""
        self.choose = random.Random(1)

    def break_down(self) -> None:
        """Be cut off."""
        self.is_down = True

    def mend(self) -> None:
        """Be reachable again."""
        self.is_down = False

    async def execute(self, operation: Operation[ResultT], context: Context) -> ResultT:
        await asyncio.sleep(self.choose.random() * 0.003)
        if not self.is_down:
            return await super().execute(operation, context)
        self.failures += 1
        return await self.fail(operation, context)

    async def fail(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Answer while cut off."""
        roll = self.choose.random()
        if not operation.is_write or roll < 0.3:
            raise Unavailable("the store is cut off")
        if roll < 0.65:
            await super().execute(operation, context)
        raise WriteOutcomeUnknown("the store was cut off while it was written to")

    def rows(self, name: str) -> dict:
        """Return the held rows of a table, to be damaged."""
        return self._held[f"faults.{name}"].rows.held


class LosesWrites(Fragile):
    """Forgets an acknowledged row when it goes down."""

    def break_down(self) -> None:
        rows = self.rows("notes")
        del rows[self.choose.choice([key for key in rows if "once" in str(key)])]
        super().break_down()


class GoesBack(Fragile):
    """Answers reads of a row that grows from before its last write, once it went down."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.goes_back = False

    def break_down(self) -> None:
        self.goes_back = True
        super().break_down()

    async def fail(self, operation: Operation[ResultT], context: Context) -> ResultT:
        if isinstance(operation, GetRows):
            return await MemoryAdapter.execute(self, operation, context)
        raise Unavailable("the store is cut off")

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        got = await super()._get_rows(operation, table, context)
        if not self.goes_back or table.name != "notes":
            return got
        pairs = zip(operation.keys, got.outcomes, strict=True)
        older = (_older(row) if "grows" in str(key) else row for key, row in pairs)
        return replace(got, outcomes=tuple(older))


def _older(outcome: object) -> object:
    if not isinstance(outcome, Row):
        return outcome
    return replace(outcome, columns={"number": int(str(outcome.columns["number"])) - 1})


class ForgetsTokens(Fragile):
    """Applies a write again when it is sent again."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.forgets = self.table_names()

    def table_names(self) -> tuple[str, ...]:
        """Return the tables whose tokens are forgotten."""
        return ("accounts",)

    async def _prepare(self, table: Table) -> None:
        await super()._prepare(table)
        if table.name in self.forgets:
            held = self._held[table.full_name]
            held.counters.tokens = _Forgetful(table.full_name, self._window_us)
            held.logs.tokens = _Forgetful(table.full_name, self._window_us)


class DoublesRecords(ForgetsTokens):
    """Appends a record again when it is sent again."""

    def table_names(self) -> tuple[str, ...]:
        return ("lines",)


class _Forgetful(TokenBook):
    def recall(self, effect: object, now_us: int) -> None:
        return None


class _Unbounded(Counters):
    def _check(self, now: object, asked: object, amount: int) -> None:
        """Take any step."""


class PassesBounds(Fragile):
    """Never looks at the bounds of a counter."""

    async def _prepare(self, table: Table) -> None:
        await super()._prepare(table)
        held = self._held[table.full_name]
        counters = _Unbounded(held.counters.table, held.counters.tokens)
        self._held[table.full_name] = replace(held, counters=counters)


class _Unconditional(Rows):
    def _check(self, index: int, condition: object, now_us: int) -> None:
        """Let every condition hold."""


class IgnoresConditions(Fragile):
    """Takes a compare-and-set for a put."""

    async def _prepare(self, table: Table) -> None:
        await super()._prepare(table)
        held = self._held[table.full_name]
        rows = _Unconditional(held.rows.table, held.rows.tokens, held.rows.held)
        self._held[table.full_name] = replace(held, rows=rows)


class DeniesWrites(Fragile):
    """Applies a write, and says that nothing happened."""

    kind: type[Operation] = WriteRows

    async def fail(self, operation: Operation[ResultT], context: Context) -> ResultT:
        if isinstance(operation, self.kind):
            await MemoryAdapter.execute(self, operation, context)
        raise Unavailable("the store is cut off")


class DeniesChanges(DeniesWrites):
    kind = ChangeCounters


class DeniesRecords(DeniesWrites):
    kind = AppendRecords


class Hangs(Fragile):
    """Does not answer while it is down, whatever the deadline."""

    async def fail(self, operation: Operation[ResultT], context: Context) -> ResultT:
        await asyncio.sleep(HANG_S)
        raise Unavailable("too late")


class RaisesWhatTheDriverRaises(Fragile):
    async def fail(self, operation: Operation[ResultT], context: Context) -> ResultT:
        raise ConnectionResetError("errno 104")


class LosesRecords(Fragile):
    """Cuts the end off a log when it goes down."""

    def break_down(self) -> None:
        for records in self._held["faults.lines"].logs.held.values():
            del records[-1:]
        super().break_down()


class TellsWrongOffsets(Fragile):
    """Tells the place of the record before."""

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        done = await super()._append_records(operation, table, context)
        wrong = tuple(replace(place, offset=max(0, place.offset - 1)) for place in done.outcomes)
        return replace(done, outcomes=wrong)


class ShowsUndoneRecords(Fragile):
    """Lets readers see a record that is gone later."""

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        page = await super()._read_log(operation, table, context)
        ghost = LogRecord(operation.partition, page.end_offset, 1, ("ghost",), {"number": 0})
        return replace(page, records=(*page.records, ghost))


class ReadsStale(Fragile):
    """Answers some reads from before the last write that changed a register."""

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        before = dict(self._held[table.full_name].rows.held)
        done = await super()._write_rows(operation, table, context)
        if table.name == "registers" and before != self._held[table.full_name].rows.held:
            self.before = before
        return done

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        got = await super()._get_rows(operation, table, context)
        if table.name != "registers" or self.choose.random() < 0.5:
            return got
        old = tuple(getattr(self, "before", {}).get(key, Absent()) for key in operation.keys)
        return replace(got, outcomes=old) if isinstance(old[0], Row) else got


class AnswersTooFew(Fragile):
    """Drops the last outcome of a batch."""

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        done = await super()._write_rows(operation, table, context)
        return replace(done, outcomes=done.outcomes[:-1] or done.outcomes)


class NeverComesBack(Fragile):
    def mend(self) -> None:
        """Stay cut off."""


class NeverSettles(Fragile):
    """Does not know of any write that was sent twice."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.doubted: set[str] = set()

    async def execute(self, operation: Operation[ResultT], context: Context) -> ResultT:
        if isinstance(operation, AppendRecords):
            nonces = {record.token.nonce for record in operation.records}
            if self.is_down:
                self.doubted |= nonces
            if nonces & self.doubted:
                raise WriteOutcomeUnknown("the store cannot say")
        return await super().execute(operation, context)


class ServesOn(Fragile):
    """Is not impressed by the fault."""

    def break_down(self) -> None:
        """Go on."""
