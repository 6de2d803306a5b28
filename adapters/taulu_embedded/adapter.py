"""The embedded adapter: operations to the file's one writer and its readers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from taulu.model import (
    AppendRecords,
    AppendResults,
    ChangeCounters,
    Changed,
    Contention,
    CounterReads,
    CounterResults,
    DeadlineExceeded,
    Facts,
    Failed,
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
    Source,
    Table,
    TauluError,
    Unavailable,
    WriteResults,
    WriteRows,
    Written,
)
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding
from taulu_embedded.counters import change_counter, get_counters
from taulu_embedded.examination import examine
from taulu_embedded.lock import ServerLock
from taulu_embedded.logs import LogStretch, append_record, read_log
from taulu_embedded.mapping import config_error, not_prepared
from taulu_embedded.opening import check_made, make_folder, open_writer
from taulu_embedded.purge import CHUNK, PURGE_STEPS, PurgeStep, purge_log
from taulu_embedded.readers import Readers
from taulu_embedded.reading import get_rows, query_rows, scan_rows
from taulu_embedded.settings import ADAPTER_NAME, EmbeddedSettings, parse_settings
from taulu_embedded.shape import StoredTable, store_table
from taulu_embedded.transaction import Transaction
from taulu_embedded.turn import Patience, Turn
from taulu_embedded.units import apply_unit
from taulu_embedded.writer import Writer, WriterOptions

_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

_TURN_S_MAX = 5.0
"""How long a commit waits for other processes before it is refused as `Contention`."""
_FOLLOW_POLL_S = 0.05
"""How often a waiting log read looks for records that other processes appended."""
_SETUP_S_MAX = 30.0
_PURGE_S_MAX = 30.0
_MICROSECONDS = 1_000_000


class EmbeddedAdapter(Adapter):
    """Keeps every kind of table in one SQLite file; see the README for what it promises."""

    name = ADAPTER_NAME
    is_host_bound = True
    capabilities = Capabilities(
        kinds=frozenset(Kind),
        features=frozenset(Feature),
        read_levels=frozenset(Level),
        write_levels=frozenset({Level.EVENTUAL, Level.QUORUM, Level.LINEARIZABLE}),
    )

    def __init__(self, settings: EmbeddedSettings, environment: Environment) -> None:
        super().__init__()
        self._settings = settings
        self._environment = environment
        self._clock = environment.clock
        self._lock = ServerLock(settings.path, environment.server_id)
        self._stored: dict[str, StoredTable] = {}
        self._open_writer: Writer | None = None
        self._open_readers: Readers | None = None
        self._purging: asyncio.Task[None] | None = None
        self._appended = asyncio.Event()

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> EmbeddedAdapter:
        """See `Adapter.create`; the options are those of `EmbeddedSettings`."""
        return cls(parse_settings(options), environment)

    async def open(self) -> None:
        """See `Adapter.open`. Another server on the same file is refused."""
        await asyncio.to_thread(self._open_file)
        self._purging = asyncio.create_task(self._purge_for_ever())

    async def close(self) -> None:
        """See `Adapter.close`."""
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
            self._purging = None
        await asyncio.to_thread(self._close_file)

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """See `Adapter.examine`. It needs no `open`, and works beside a running server."""
        return await asyncio.to_thread(examine, self._settings.path, tables)

    async def _prepare(self, table: Table) -> None:
        window_us = int(self._environment.token_window_s * _MICROSECONDS)

        def prepare(transaction: Transaction, table: Table) -> StoredTable:
            return store_table(transaction, table, window_us)

        try:
            (outcome,) = await self._writer.apply(prepare, (table,), self._deadline(_SETUP_S_MAX))
        except (Contention, DeadlineExceeded) as error:
            raise not_prepared(table.full_name, self._settings.path, error) from error
        if isinstance(outcome, Failed):
            raise outcome.error
        self._stored[table.full_name] = outcome

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._readers.read(
            lambda connection: get_rows(connection, stored, operation, now_us)
        )
        versions = [found.version for found in outcomes if isinstance(found, Row)]
        return RowReads(outcomes, _facts(now_us, max(versions, default=0)))

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        rows, position = await self._readers.read(
            lambda connection: query_rows(connection, stored, operation, now_us)
        )
        return _page(rows, position, now_us)

    async def _scan_rows(self, operation: ScanRows, table: Table, context: Context) -> RowPage:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        rows, position = await self._readers.read(
            lambda connection: scan_rows(connection, stored, operation, now_us)
        )
        return _page(rows, position, now_us)

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._writer.apply(
            lambda transaction, unit: apply_unit(transaction, stored, unit),
            operation.units,
            context.deadline,
        )
        versions = [done.version for done in outcomes if isinstance(done, Written)]
        return WriteResults(tuple(outcomes), _facts(now_us, max(versions, default=0)))

    async def _change_counters(
        self, operation: ChangeCounters, table: Table, context: Context
    ) -> CounterResults:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._writer.apply(
            lambda transaction, change: change_counter(transaction, stored, change),
            operation.changes,
            context.deadline,
        )
        versions = [done.counter.version for done in outcomes if isinstance(done, Changed)]
        return CounterResults(tuple(outcomes), _facts(now_us, max(versions, default=0)))

    async def _get_counters(
        self, operation: GetCounters, table: Table, context: Context
    ) -> CounterReads:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        counters = await self._readers.read(
            lambda connection: get_counters(connection, stored, operation, now_us)
        )
        version = max((counter.version for counter in counters), default=0)
        return CounterReads(counters, _facts(now_us, version))

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        stored = self._stored[table.full_name]
        now_us = self._clock.now_us()
        outcomes = await self._writer.apply(
            lambda transaction, record: append_record(transaction, stored, record),
            operation.records,
            context.deadline,
        )
        self._appended.set()
        self._appended = asyncio.Event()
        return AppendResults(tuple(outcomes), _facts(now_us, 0))

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        stored = self._stored[table.full_name]
        give_up = min(self._clock.monotonic() + operation.wait_s, context.deadline)
        while True:
            appended = self._appended
            now_us = self._clock.now_us()
            found = await self._read_stretch(stored, operation, now_us)
            left_s = give_up - self._clock.monotonic()
            if found.records or left_s <= 0:
                facts = _facts(now_us, 0)
                return LogPage(found.records, found.next_offset, found.end_offset, facts)
            if isinstance(operation.start, FromLatest):
                # The end as it was when the call came is what it must wait behind.
                operation = replace(operation, start=FromOffset(found.next_offset))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(appended.wait(), min(left_s, _FOLLOW_POLL_S))

    async def _read_stretch(
        self, stored: StoredTable, operation: ReadLog, now_us: int
    ) -> LogStretch:
        return await self._readers.read(
            lambda connection: read_log(connection, stored, operation, now_us)
        )

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise self._not_open()
        return self._open_writer

    @property
    def _readers(self) -> Readers:
        if self._open_readers is None:
            raise self._not_open()
        return self._open_readers

    def _not_open(self) -> Unavailable:
        return Unavailable(f"{self._settings.path} is not open; open the adapter first")

    def _deadline(self, timeout_s: float) -> float:
        return self._clock.monotonic() + timeout_s

    def _open_file(self) -> None:
        try:
            self._open_all(self._settings)
        except OSError as error:
            trouble = error.strerror or str(error)
            raise config_error(
                self._settings.path,
                f"cannot be opened, for {error.filename or 'a file beside it'} gives {trouble!r}; "
                "check the disk, and the rights of the folder and its files",
            ) from error

    def _open_all(self, settings: EmbeddedSettings) -> None:
        if not self._environment.makes_storage:
            check_made(settings.path)
        make_folder(settings.path)
        self._lock.acquire()
        connection = open_writer(settings)
        turn = Turn(settings.path, Patience(_TURN_S_MAX, self._clock.monotonic, time.sleep))
        options = WriterOptions(settings.path, settings.write_batch_max, settings.write_queue_max)
        self._open_writer = Writer(connection, turn, self._clock, options)
        self._open_writer.start()
        self._open_readers = Readers(settings.path, settings.readers, settings.read_queue_max)

    def _close_file(self) -> None:
        writer, self._open_writer = self._open_writer, None
        readers, self._open_readers = self._open_readers, None
        if writer is not None:
            writer.stop()
        if readers is not None:
            readers.close()
        self._lock.release()

    async def _purge_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.purge_interval_s)
            try:
                while await self.purge():
                    pass
            except TauluError as error:
                _log.warning("expired rows stay in the file for now: %s", error.message)

    async def purge(self) -> bool:
        """Remove some of what has expired; return whether there may be more."""
        steps: list[PurgeStep] = list(PURGE_STEPS)
        steps += [partial(purge_log, stored=stored) for stored in self._stored.values()]
        removed = await self._writer.apply(
            lambda transaction, step: step(transaction), steps, self._deadline(_PURGE_S_MAX)
        )
        failures = [outcome.error for outcome in removed if isinstance(outcome, Failed)]
        if failures:
            raise failures[0]
        return CHUNK in removed


def _facts(as_of_us: int, version: int) -> Facts:
    return Facts(Level.LINEARIZABLE, version, as_of_us, Source.PRIMARY)


def _page(rows: tuple[Row, ...], position: bytes, as_of_us: int) -> RowPage:
    version = max((row.version for row in rows), default=0)
    return RowPage(rows, _facts(as_of_us, version), next_position=position)
