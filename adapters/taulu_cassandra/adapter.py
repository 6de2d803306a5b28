"""The Cassandra adapter: operations to requests of one session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from taulu.model import (
    TABLE_LEVEL,
    AppendRecords,
    AppendResults,
    ChangeCounters,
    Changed,
    Consistency,
    Counter,
    CounterRead,
    CounterReads,
    CounterResults,
    Facts,
    Failed,
    FromLatest,
    FromOffset,
    GetCounters,
    GetRows,
    Key,
    Kind,
    Level,
    LogPage,
    Overloaded,
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
from taulu.model.operation import Operation
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding
from taulu_cassandra import kinds
from taulu_cassandra._driver import Session
from taulu_cassandra.calls import Calls
from taulu_cassandra.counter_ground import read_counter
from taulu_cassandra.examination import examine
from taulu_cassandra.growth import Growth
from taulu_cassandra.lanes import Lanes
from taulu_cassandra.layout import layout_of, wrong_names
from taulu_cassandra.log_reading import Fronts, LogReading, LogStretch
from taulu_cassandra.opening import compile_statements, connected, open_table
from taulu_cassandra.options import has_partial_updates, is_serial, options_of, wrong_options
from taulu_cassandra.plain import write_unit
from taulu_cassandra.reading import Reading, get_rows, query_rows, scan_rows
from taulu_cassandra.settings import ADAPTER_NAME, CassandraSettings, parse_settings
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.together import together

_OVERLOAD_RETRY_S = 0.1
_FOLLOW_REST_S = 0.02
_FOLLOW_REST_S_MAX = 0.25
"""How long a waiting log read rests between looks, at first and at last."""

_EVERYTHING = Capabilities(
    kinds=frozenset(Kind),
    features=frozenset(Feature) - {Feature.TRANSACTIONS},
    read_levels=frozenset(Level),
    write_levels=frozenset({Level.EVENTUAL, Level.QUORUM, Level.LINEARIZABLE}),
)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A table with what serves its kind."""

    stored: StoredTable
    rows: kinds.SerialRows
    counters: kinds.Counters
    log: kinds.Log


class CassandraAdapter(Adapter):
    """Keeps every kind of table in Cassandra; see the README for what it promises."""

    name = ADAPTER_NAME
    capabilities = _EVERYTHING

    def __init__(self, settings: CassandraSettings, environment: Environment) -> None:
        super().__init__()
        self._settings = settings
        self._environment = environment
        self._clock = environment.clock
        self._session: Session | None = None
        self._calls: Calls | None = None
        self._prepared: dict[str, _Prepared] = {}
        self._lanes = Lanes()
        self._growth = Growth()
        self._fronts = Fronts()
        self._under_way = 0
        self._appended = asyncio.Event()

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> CassandraAdapter:
        """See `Adapter.create`; the options are those of `CassandraSettings`."""
        return cls(parse_settings(options), environment)

    def capabilities_of(self, table: Table) -> Capabilities:
        """See `Adapter.capabilities_of`: the table's write level decides how it is kept."""
        if is_serial(table) or wrong_options(table):
            return _EVERYTHING
        lacking = {Feature.TRANSACTIONS, Feature.CONDITIONS, Feature.WRITE_ORDER}
        partial = has_partial_updates(table, options_of(table))
        lacking.add(Feature.ROW_TTL if partial else Feature.PARTIAL_UPDATE)
        features = frozenset(Feature) - lacking
        if table.write_level is Level.EVENTUAL:
            weakest = frozenset({Level.EVENTUAL})
            return replace(
                _EVERYTHING, features=features, read_levels=weakest, write_levels=weakest
            )
        return replace(
            _EVERYTHING,
            features=features,
            read_levels=frozenset(Level) - {Level.LINEARIZABLE},
            write_levels=frozenset({Level.EVENTUAL, Level.QUORUM}),
        )

    def refusals(self, table: Table) -> list[str]:
        """See `Adapter.refusals`; names that Cassandra does not take are refused too."""
        return [*super().refusals(table), *wrong_names(table, self._settings.keyspace_prefix)]

    def _wrong_options(self, table: Table) -> list[str]:
        return wrong_options(table)

    async def open(self) -> None:
        """See `Adapter.open`."""
        session = await asyncio.to_thread(connected, self._settings)
        self._session = session
        self._calls = Calls(
            session, self._clock, self._settings.requests_max, self._settings.request_timeout_s
        )

    async def close(self) -> None:
        """See `Adapter.close`."""
        session, self._session = self._session, None
        if session is not None:
            await asyncio.to_thread(session.close)

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """See `Adapter.examine`."""
        return await asyncio.to_thread(examine, self._settings, tables)

    async def _prepare(self, table: Table) -> None:
        session, calls = self._session, self._calls
        if session is None or calls is None:
            raise Unavailable("the Cassandra session is not open; open the adapter first")
        layout = layout_of(table, self._settings.keyspace_prefix)
        window_s = int(self._environment.token_window_s)
        stored = StoredTable(layout, session, calls, window_s, self._settings.purge_margin_s)
        await asyncio.to_thread(open_table, session, layout, self._settings)
        texts = kinds.texts_of(layout)
        await asyncio.to_thread(compile_statements, stored, texts, self._clock)
        self._prepared[table.full_name] = _Prepared(
            stored,
            kinds.serial_rows(stored, self._lanes),
            kinds.counters(stored, self._lanes),
            kinds.log(stored, self._lanes),
        )

    async def _dispatch(
        self, operation: Operation[object], table: Table, context: Context
    ) -> object:
        if self._under_way >= self._settings.operations_max:
            raise Overloaded(
                f"{self._under_way} operations on Cassandra are under way already "
                "(operations_max); send the request again later",
                details={"limit": "operations_max", "value": str(self._settings.operations_max)},
                retry_after_s=_OVERLOAD_RETRY_S,
            )
        self._under_way += 1
        try:
            return await super()._dispatch(operation, table, context)
        finally:
            self._under_way -= 1

    def _reading(self, table: Table, asked: Consistency, context: Context) -> tuple[Reading, Level]:
        """Return how a read is made, and the level that it achieves."""
        stored = self._prepared[table.full_name].stored
        level = table.read_level if asked.level is None else asked.level
        native = stored.layout.levels.of_read(level)
        achieved = level if level in (Level.EVENTUAL, Level.LINEARIZABLE) else Level.QUORUM
        call = stored.call(context.deadline)
        return Reading(stored, native, call, self._clock.now_us()), achieved

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        reading, level = self._reading(table, operation.consistency, context)
        outcomes = await get_rows(reading, operation)
        failures = [found.error for found in outcomes if isinstance(found, Failed)]
        if failures and len(failures) == len(outcomes):
            raise failures[0]
        versions = [found.version for found in outcomes if isinstance(found, Row)]
        return RowReads(outcomes, _facts(level, versions, reading.now_us))

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        reading, level = self._reading(table, operation.consistency, context)
        rows, position = await query_rows(reading, operation)
        facts = _facts(level, [row.version for row in rows], reading.now_us)
        return RowPage(rows, facts, next_position=position)

    async def _scan_rows(self, operation: ScanRows, table: Table, context: Context) -> RowPage:
        reading, level = self._reading(table, operation.consistency, context)
        rows, position = await scan_rows(reading, operation)
        facts = _facts(level, [row.version for row in rows], reading.now_us)
        return RowPage(rows, facts, next_position=position)

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        prepared = self._prepared[table.full_name]
        now_us = self._clock.now_us()
        if prepared.stored.layout.is_serial:
            level = Level.LINEARIZABLE
            outcomes = await prepared.rows.write(operation.units, context.deadline)
        else:
            level = table.write_level
            reading, _ = self._reading(table, TABLE_LEVEL, context)
            outcomes = await together(
                write_unit(reading, self._growth, unit) for unit in operation.units
            )
        versions = [done.version for done in outcomes if isinstance(done, Written)]
        return WriteResults(tuple(outcomes), _facts(level, versions, now_us))

    async def _change_counters(
        self, operation: ChangeCounters, table: Table, context: Context
    ) -> CounterResults:
        now_us = self._clock.now_us()
        counters = self._prepared[table.full_name].counters
        outcomes = await counters.change(operation.changes, context.deadline)
        versions = [done.counter.version for done in outcomes if isinstance(done, Changed)]
        return CounterResults(tuple(outcomes), _facts(Level.LINEARIZABLE, versions, now_us))

    async def _get_counters(
        self, operation: GetCounters, table: Table, context: Context
    ) -> CounterReads:
        reading, level = self._reading(table, operation.consistency, context)

        async def read(key: Key) -> CounterRead:
            try:
                _, state = await read_counter(reading.stored, key, reading.level, reading.call)
            except TauluError as error:
                return Failed(error)
            return state.counter(key)

        keys = list(dict.fromkeys(operation.keys))
        found = dict(zip(keys, await together(read(key) for key in keys), strict=True))
        outcomes = tuple(found[key] for key in operation.keys)
        versions = [counter.version for counter in outcomes if isinstance(counter, Counter)]
        return CounterReads(outcomes, _facts(level, versions, reading.now_us))

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        now_us = self._clock.now_us()
        log = self._prepared[table.full_name].log
        outcomes = await log.append(operation.records, context.deadline)
        self._appended.set()
        self._appended = asyncio.Event()
        return AppendResults(tuple(outcomes), _facts(Level.LINEARIZABLE, [], now_us))

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        give_up = min(self._clock.monotonic() + operation.wait_s, context.deadline)
        rest_s = _FOLLOW_REST_S
        while True:
            appended = self._appended
            now_us = self._clock.now_us()
            found = await self._read_stretch(operation, table, context)
            left_s = give_up - self._clock.monotonic()
            if found.records or left_s <= 0:
                facts = _facts(Level.QUORUM, [], now_us)
                return LogPage(found.records, found.next_offset, found.end_offset, facts)
            if isinstance(operation.start, FromLatest):
                # The end as it was when the call came is what it must wait behind.
                operation = replace(operation, start=FromOffset(found.next_offset))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(appended.wait(), min(left_s, rest_s))
            rest_s = min(rest_s * 2, _FOLLOW_REST_S_MAX)

    async def _read_stretch(self, operation: ReadLog, table: Table, context: Context) -> LogStretch:
        stored = self._prepared[table.full_name].stored
        call = stored.call(context.deadline)
        return await LogReading(stored, self._fronts, call, operation.partition).read(operation)


def _facts(level: Level, versions: list[int], as_of_us: int) -> Facts:
    """Say what was delivered. Data at a replica's word may lack the latest writes."""
    source = Source.REPLICA if level is Level.EVENTUAL else Source.PRIMARY
    return Facts(level, max(versions, default=0), as_of_us, source)
