"""The memory adapter: each operation is one step of the event loop, so it is atomic."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from taulu.codec import KeyCodec, RowCodec
from taulu.model import (
    Absent,
    Appended,
    AppendRecords,
    AppendResults,
    ChangeCounters,
    Changed,
    ConfigError,
    CounterReads,
    CounterResults,
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
    SchemaConflict,
    Source,
    Table,
    TauluError,
    WriteResults,
    WriteRows,
    Written,
)
from taulu.spi import (
    Adapter,
    Capabilities,
    Context,
    Environment,
    Feature,
    Finding,
    SharedCache,
    check_options,
)
from taulu_memory.counters import Counters
from taulu_memory.logs import Logs
from taulu_memory.moment import Moment, Versions
from taulu_memory.pages import Pager
from taulu_memory.rows import Rows
from taulu_memory.shared_cache import MemorySharedCache
from taulu_memory.tokens import TokenBook

ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")


@dataclass(frozen=True, slots=True)
class _Held:
    """All that is kept of one table; which part is used depends on its kind."""

    rows: Rows
    pager: Pager
    counters: Counters
    logs: Logs


class MemoryAdapter(Adapter):
    """Keeps every kind of table in dictionaries; all is gone when it is closed."""

    name = "memory"
    is_host_bound = True
    capabilities = Capabilities(
        kinds=frozenset(Kind),
        features=frozenset(Feature),
        read_levels=frozenset(Level),
        write_levels=frozenset({Level.EVENTUAL, Level.QUORUM, Level.LINEARIZABLE}),
    )

    def __init__(self, environment: Environment, cache: MemorySharedCache | None = None) -> None:
        """Make an adapter; it has a shared cache to itself, or the one it is handed."""
        super().__init__()
        self._clock = environment.clock
        self._window_us = int(environment.token_window_s * 1_000_000)
        self._versions = Versions()
        self._held: dict[str, _Held] = {}
        self._appended = asyncio.Event()
        self._owns_cache = cache is None
        self._cache = cache or MemorySharedCache(environment.clock)

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> MemoryAdapter:
        """See `Adapter.create`; there are no options, and only one process can share it."""
        check_options(cls.name, options, frozenset())
        if environment.workers > 1:
            raise ConfigError(
                f"adapter {cls.name!r} keeps its tables within one process, and each of the "
                f"{environment.workers} workers would have its own; set `workers: 1`, or use "
                "adapter 'embedded'"
            )
        return cls(environment)

    async def open(self) -> None:
        """See `Adapter.open`; there is nothing to connect to."""

    async def close(self) -> None:
        """See `Adapter.close`; everything is forgotten, but for a cache that was handed in."""
        self._held.clear()
        if self._owns_cache:
            self._cache.tier.forget()
            self._cache.carrier.cut()

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """See `Adapter.examine`."""
        return [Finding(ok=True, what="tables are held in memory, and gone when the server ends")]

    def shared_cache(self) -> SharedCache:
        """See `Adapter.shared_cache`; it is one process's own, as the tables are."""
        return self._cache

    async def _prepare(self, table: Table) -> None:
        name, window_us = table.full_name, self._window_us
        before = self._held.get(name)
        if before is not None and not _fits(before.rows.table, table):
            raise SchemaConflict(
                f"table {name} does not fit what is held under its name; give it a new name",
                details={"table": name},
            )
        keys, codec = KeyCodec(table), RowCodec(table)
        rows = Rows(table, TokenBook(name, window_us), {})
        counters = Counters(table, TokenBook(name, window_us))
        logs = Logs(table, keys, codec, TokenBook(name, window_us))
        if before is not None:
            rows = replace(before.rows, table=table)
            counters = replace(before.counters, table=table)
            logs = replace(before.logs, table=table, keys=keys, rows=codec)
        self._held[name] = _Held(rows, Pager(table, keys, codec), counters, logs)

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        rows, now_us = self._held[table.full_name].rows, self._clock.now_us()
        outcomes: tuple[Row | Absent, ...] = tuple(
            rows.get(key, now_us, operation.columns) for key in operation.keys
        )
        versions = [row.version for row in outcomes if isinstance(row, Row)]
        return RowReads(outcomes, _facts(now_us, versions))

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        held, now_us = self._held[table.full_name], self._clock.now_us()
        rows, position = held.pager.query(held.rows.live(now_us), operation)
        return RowPage(rows, _facts(now_us, [row.version for row in rows]), position)

    async def _scan_rows(self, operation: ScanRows, table: Table, context: Context) -> RowPage:
        held, now_us = self._held[table.full_name], self._clock.now_us()
        rows, position = held.pager.scan(held.rows.live(now_us), operation)
        return RowPage(rows, _facts(now_us, [row.version for row in rows]), position)

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        moment = self._moment()
        outcomes = _each(self._held[table.full_name].rows.apply, operation.units, moment)
        versions = [done.version for done in outcomes if isinstance(done, Written)]
        return WriteResults(outcomes, _facts(moment.now_us, versions))

    async def _change_counters(
        self, operation: ChangeCounters, table: Table, context: Context
    ) -> CounterResults:
        moment = self._moment()
        outcomes = _each(self._held[table.full_name].counters.change, operation.changes, moment)
        versions = [done.counter.version for done in outcomes if isinstance(done, Changed)]
        return CounterResults(outcomes, _facts(moment.now_us, versions))

    async def _get_counters(
        self, operation: GetCounters, table: Table, context: Context
    ) -> CounterReads:
        counters, now_us = self._held[table.full_name].counters, self._clock.now_us()
        outcomes = tuple(counters.get(key, now_us) for key in operation.keys)
        return CounterReads(outcomes, _facts(now_us, [found.version for found in outcomes]))

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        moment = self._moment()
        outcomes: tuple[Appended | Failed, ...] = _each(
            self._held[table.full_name].logs.append, operation.records, moment
        )
        self._appended.set()
        self._appended = asyncio.Event()
        return AppendResults(outcomes, _facts(moment.now_us, []))

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        give_up = min(self._clock.monotonic() + operation.wait_s, context.deadline)
        while True:
            appended, now_us = self._appended, self._clock.now_us()
            found = self._held[table.full_name].logs.read(operation, now_us)
            left_s = give_up - self._clock.monotonic()
            if found.records or left_s <= 0:
                facts = _facts(now_us, [])
                return LogPage(found.records, found.next_offset, found.end_offset, facts)
            if isinstance(operation.start, FromLatest):
                # The end as it was when the call came is what it must wait behind.
                operation = replace(operation, start=FromOffset(found.next_offset))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(appended.wait(), left_s)

    def _moment(self) -> Moment:
        return Moment(self._clock.now_us(), self._versions)


def _each(
    apply: Callable[[ItemT, Moment], OutcomeT], items: Sequence[ItemT], moment: Moment
) -> tuple[OutcomeT | Failed, ...]:
    """Apply items in order; one that fails does so alone."""
    outcomes: list[OutcomeT | Failed] = []
    for item in items:
        try:
            outcomes.append(apply(item, moment))
        except TauluError as error:
            outcomes.append(Failed(error))
    return tuple(outcomes)


def _facts(as_of_us: int, versions: Sequence[int]) -> Facts:
    return Facts(Level.LINEARIZABLE, max(versions, default=0), as_of_us, Source.PRIMARY)


def _fits(held: Table, table: Table) -> bool:
    """Return whether what was written under one description can be read under another."""
    types = {column.name: column.type for column in held.columns}
    return _shape(held) == _shape(table) and all(
        types.get(column.name, column.type) == column.type for column in table.columns
    )


def _shape(table: Table) -> tuple[object, ...]:
    return (
        table.kind,
        [(column.name, column.type) for column in table.partition_key],
        [(c.column.name, c.column.type, c.descending) for c in table.clustering_key],
        table.log_partitions,
    )
