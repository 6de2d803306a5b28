"""The PostgreSQL and CockroachDB adapter: operations to statements, on one database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from taulu.model import (
    AppendRecords,
    AppendResults,
    ChangeCounters,
    Changed,
    Consistency,
    CounterReads,
    CounterResults,
    Facts,
    FromLatest,
    FromOffset,
    GetCounters,
    GetRows,
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
    TauluError,
    WriteResults,
    WriteRows,
    Written,
)
from taulu.model.result import Appended
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding
from taulu_postgres import counters, log_statements, logs, reading
from taulu_postgres._driver import Call, DriverError, SqlRow
from taulu_postgres.database import Database
from taulu_postgres.examination import examine
from taulu_postgres.follow import Ends, Follower
from taulu_postgres.levels import Asked, Freshness, Reads
from taulu_postgres.logs import LogStretch
from taulu_postgres.mapping import refusal_of, to_taulu
from taulu_postgres.names import Names
from taulu_postgres.purge import CHUNK, Purge
from taulu_postgres.settings import ADAPTER_NAME, PostgresSettings, parse_settings
from taulu_postgres.stored import StoredTable
from taulu_postgres.units import check_unit, plan_units

_log = logging.getLogger(__name__)

_LOOK_S_MAX = 5.0
_PURGED_UNDER_READER_MAX = 5
_MICROSECONDS = 1_000_000


class PostgresAdapter(Adapter):
    """Keeps every kind of table in typed columns; see the README for what it promises."""

    name = ADAPTER_NAME
    capabilities = Capabilities(
        kinds=frozenset(Kind),
        features=frozenset(Feature),
        read_levels=frozenset(Level),
        write_levels=frozenset({Level.EVENTUAL, Level.QUORUM, Level.LINEARIZABLE}),
    )

    def __init__(self, settings: PostgresSettings, environment: Environment) -> None:
        super().__init__()
        self._settings = settings
        self._clock = environment.clock
        self._window_us = int(environment.token_window_s * _MICROSECONDS)
        self._names = Names.of(settings)
        self._database = Database(settings, self._names, environment.clock)
        self._reads = Reads(self._database, self._database.standbys, environment.clock)
        self._stored: dict[str, StoredTable] = {}
        self._follower = Follower(self._look_at_log, settings.log_poll_interval_s)
        self._purging: asyncio.Task[None] | None = None

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> PostgresAdapter:
        """See `Adapter.create`; the options are those of `PostgresSettings`."""
        return cls(parse_settings(options), environment)

    async def open(self) -> None:
        """See `Adapter.open`."""
        await self._database.open()
        self._purging = asyncio.create_task(self._purge_for_ever())

    async def close(self) -> None:
        """See `Adapter.close`."""
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
            self._purging = None
        await self._follower.close()
        await self._database.close()

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """See `Adapter.examine`. It needs no `open`, and works beside a running server."""
        return await examine(self._settings, tables)

    def refusals(self, table: Table) -> list[str]:
        """See `Adapter.refusals`."""
        return [*super().refusals(table), *self._names.refusals(table)]

    async def _prepare(self, table: Table) -> None:
        stored = await self._database.prepare(table, self._window_us)
        self._stored[table.full_name] = stored

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        stored, now_us = self._stored[table.full_name], self._clock.now_us()
        call = partial(reading.get_call, stored, operation)
        found, fresh = await self._read(operation.consistency, table, call, context)
        outcomes = reading.outcomes_of(stored, operation, found, now_us)
        versions = [read.version for read in outcomes if isinstance(read, Row)]
        return RowReads(outcomes, fresh.facts(max(versions, default=0)))

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        stored, now_us = self._stored[table.full_name], self._clock.now_us()
        with _own_refusals():
            is_empty = not reading.can_hold_rows(stored, operation)
        if is_empty:
            return RowPage((), _facts(now_us, 0))
        call = partial(reading.query_call, stored, operation, now_us)
        found, fresh = await self._read(operation.consistency, table, call, context)
        return _page(reading.query_page(stored, operation, found), fresh)

    async def _scan_rows(self, operation: ScanRows, table: Table, context: Context) -> RowPage:
        stored, now_us = self._stored[table.full_name], self._clock.now_us()
        call = partial(reading.scan_call, stored, operation, now_us)
        found, fresh = await self._read(operation.consistency, table, call, context)
        return _page(reading.scan_page(stored, operation, found), fresh)

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._database.transactions.apply(
            operation.units,
            partial(check_unit, stored),
            partial(plan_units, stored),
            context.deadline,
        )
        versions = [done.version for done in outcomes if isinstance(done, Written)]
        return WriteResults(tuple(outcomes), _facts(now_us, max(versions, default=0)))

    async def _change_counters(
        self, operation: ChangeCounters, table: Table, context: Context
    ) -> CounterResults:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._database.transactions.apply(
            operation.changes,
            partial(counters.check_change, stored),
            partial(counters.plan_changes, stored),
            context.deadline,
        )
        versions = [done.counter.version for done in outcomes if isinstance(done, Changed)]
        return CounterResults(tuple(outcomes), _facts(now_us, max(versions, default=0)))

    async def _get_counters(
        self, operation: GetCounters, table: Table, context: Context
    ) -> CounterReads:
        stored, now_us = self._stored[table.full_name], self._clock.now_us()
        call = partial(counters.get_call, stored, operation, now_us)
        found, fresh = await self._read(operation.consistency, table, call, context)
        read = counters.counters_of(operation.keys, found)
        return CounterReads(read, fresh.facts(max((c.version for c in read), default=0)))

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._database.transactions.apply(
            operation.records,
            partial(logs.check_record, stored),
            partial(logs.plan_records, stored),
            context.deadline,
        )
        done = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
        ends: dict[int, int] = {}
        for appended in done:
            end = max(ends.get(appended.partition, 0), appended.offset + 1)
            ends[appended.partition] = end
        self._follower.appended(stored, ends)
        return AppendResults(tuple(outcomes), _facts(now_us, 0))

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        stored = self._stored[table.full_name]
        logs.check_partition(stored, operation.partition)
        give_up = min(self._clock.monotonic() + operation.wait_s, context.deadline)
        while True:
            now_us = self._clock.now_us()
            found = await self._read_stretch(stored, operation, now_us, context)
            left_s = give_up - self._clock.monotonic()
            if found.records or left_s <= 0:
                facts = _facts(now_us, 0)
                return LogPage(found.records, found.next_offset, found.end_offset, facts)
            if isinstance(operation.start, FromLatest):
                # The end as it was when the call came is what it must wait behind.
                operation = replace(operation, start=FromOffset(found.next_offset))
            await self._follower.wait(stored, operation.partition, found.end_offset, left_s)

    async def _read_stretch(
        self, stored: StoredTable, operation: ReadLog, now_us: int, context: Context
    ) -> LogStretch:
        """Read one page: in one round trip from an offset, in two from anywhere else."""
        for _ in range(_PURGED_UNDER_READER_MAX):
            kept_call = logs.kept_call(stored, operation, now_us)
            if isinstance(operation.start, FromOffset):
                records_call = logs.records_call(stored, operation, operation.start.offset)
                calls = [kept_call, records_call]
                head, found = await self._database.read(calls, context.deadline)
                kept = logs.kept_of(stored, operation, head)
            else:
                (head,) = await self._database.read([kept_call], context.deadline)
                kept = logs.kept_of(stored, operation, head)
                start = logs.start_of(stored, operation, kept)
                records_call = logs.records_call(stored, operation, start)
                (found,) = await self._database.read([records_call], context.deadline)
            stretch = logs.stretch_of(stored, operation, kept, found)
            if stretch is not None:
                return stretch
        raise logs.lost_records(stored, operation)

    async def _read(
        self,
        consistency: Consistency,
        table: Table,
        call_of: Callable[[str], Call],
        context: Context,
    ) -> tuple[list[SqlRow], Freshness]:
        asked = Asked.of(consistency, table)
        with _own_refusals():
            return await self._reads.run(asked, call_of, context.deadline)

    async def _look_at_log(self, stored: StoredTable) -> Ends:
        deadline = self._clock.monotonic() + _LOOK_S_MAX
        (rows,) = await self._database.read([log_statements.ends(stored)], deadline)
        return dict(rows)

    async def _purge_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.purge_interval_s)
            try:
                removed = CHUNK
                while removed >= CHUNK:
                    removed = await self.purge()
            except TauluError as error:
                _log.warning("cannot purge: %s", error.message)

    async def purge(self) -> int:
        """Remove some of what has expired; return how much. It goes on by itself once open.

        Raises:
            TauluError: The database could not do it now; nothing depends on it.
        """
        pool, names = self._database.pool, self._names
        purge = Purge(pool, self._clock, names, self._database.dialect.begin_write)
        try:
            removed = await purge.tokens()
            for stored in list(self._stored.values()):
                removed += await purge.table(stored)
        except DriverError as error:
            raise to_taulu(error, self._database.place) from error
        except TimeoutError as error:
            raise self._database.too_late() from error
        return removed


@contextlib.contextmanager
def _own_refusals() -> Generator[None]:
    """Raise what is wrong with a read's values as the error of the tree that it is."""
    try:
        yield
    except (TypeError, ValueError, AttributeError) as error:
        raise refusal_of(error) from error


def _page(page: reading.PageOfRows, fresh: Freshness) -> RowPage:
    rows, position = page
    version = max((row.version for row in rows), default=0)
    return RowPage(rows, fresh.facts(version), next_position=position)


def _facts(now_us: int, version: int) -> Facts:
    return Facts(level=Level.LINEARIZABLE, version=version, as_of_us=now_us)
