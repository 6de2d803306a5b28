"""The Redis adapter: operations to pipelines of commands and scripts, and their replies back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from taulu.model import (
    AppendRecords,
    AppendResults,
    ChangeCounters,
    Changed,
    Clock,
    Consistency,
    Counter,
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
    SchemaConflict,
    Source,
    Table,
    WriteResults,
    WriteRows,
    Written,
)
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding, SharedCache
from taulu_redis import counters, logs, mapping, units
from taulu_redis.calls import Calls, Command, Wish
from taulu_redis.carrier import RedisCarrier
from taulu_redis.cluster import Cluster
from taulu_redis.examination import examine
from taulu_redis.layout import Layout, is_scanned, layout_of, merged, wrong_options
from taulu_redis.levels import FEATURES, capabilities_for, is_safe
from taulu_redis.node import Broken
from taulu_redis.reading import PageOfRows, Reading
from taulu_redis.scanning import Scan
from taulu_redis.scripts import DESCRIBE_TABLE
from taulu_redis.sentinel import Sentinels
from taulu_redis.settings import ADAPTER_NAME, Mode, RedisSettings, parse_settings
from taulu_redis.shared_tier import RedisTier
from taulu_redis.tokens import Moment
from taulu_redis.topology import Standalone, Topology, find_servers

_FOLLOW_POLL_S = 0.05
"""How often a waiting log read looks for records."""
_SETUP_S_MAX = 10.0
_DESCRIBE_ATTEMPTS_MAX = 20
_MICROSECONDS = 1_000_000
_SURE_WRITES = frozenset({Level.QUORUM, Level.LINEARIZABLE})


class RedisAdapter(Adapter):
    """Keeps every kind of table in Redis; see the README for what it promises."""

    name = ADAPTER_NAME
    capabilities = Capabilities(
        kinds=frozenset(Kind),
        features=FEATURES,
        read_levels=frozenset(Level),
        write_levels=frozenset({Level.EVENTUAL, Level.QUORUM, Level.LINEARIZABLE}),
    )

    def __init__(self, settings: RedisSettings, environment: Environment) -> None:
        super().__init__()
        self.capabilities = capabilities_for(settings)
        self._settings = settings
        self._clock = environment.clock
        self._window_us = int(environment.token_window_s * _MICROSECONDS)
        self._topology = _topology(settings, environment.clock)
        self._calls = Calls(self._topology, settings, environment.clock)
        self._tier = RedisTier(self._calls, environment.clock)
        self._carrier = RedisCarrier(self._calls, environment.clock)
        self._layouts: dict[str, Layout] = {}

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> RedisAdapter:
        """See `Adapter.create`; the options are those of `RedisSettings`."""
        return cls(parse_settings(options), environment)

    async def open(self) -> None:
        """See `Adapter.open`. Servers that are not set up as declared are refused."""
        deadline = self._clock.monotonic() + _SETUP_S_MAX
        await find_servers(self._topology, self._clock)
        for node in self._topology.primaries():
            try:
                await node.exchange([("PING",)], deadline)
            except Broken as broken:
                raise mapping.unreachable(str(broken), mapping.START_IT) from broken

    async def close(self) -> None:
        """See `Adapter.close`."""
        await self._tier.close()
        await self._carrier.close()
        await self._topology.close()

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """See `Adapter.examine`."""
        topology = _topology(self._settings, self._clock)
        return await examine(self._settings, topology, tables, self._clock)

    def shared_cache(self) -> SharedCache:
        """See `Adapter.shared_cache`; any set-up will do for a cache, the weakest too."""
        return SharedCache(self._tier, self._carrier)

    def capabilities_of(self, table: Table) -> Capabilities:
        """See `Adapter.capabilities_of`; a table without its index cannot be scanned."""
        if is_scanned(table):
            return self.capabilities
        return replace(self.capabilities, features=self.capabilities.features - {Feature.SCAN})

    def refusals(self, table: Table) -> list[str]:
        """See `Adapter.refusals`; a log has the levels of its table."""
        reasons = super().refusals(table)
        if table.kind is Kind.LOG and table.write_level not in self.capabilities.write_levels:
            reasons.append(f"it cannot append at {table.write_level.name}")
        if table.kind is Kind.LOG and table.read_level not in self.capabilities.read_levels:
            reasons.append(f"it cannot read a log at {table.read_level.name}")
        return reasons

    def _wrong_options(self, table: Table) -> list[str]:
        return wrong_options(table)

    async def _prepare(self, table: Table) -> None:
        layout = layout_of(table)
        key = layout.spots.description
        deadline = self._clock.monotonic() + _SETUP_S_MAX
        wish = Wish(deadline, is_write=False, advice=mapping.START_IT)
        for _ in range(_DESCRIBE_ATTEMPTS_MAX):
            stored = cast("bytes | None", await self._calls.one(Command(key, ("GET", key)), wish))
            wanted = merged(layout, stored)
            if stored == wanted:
                break
            describe = Command.run(DESCRIBE_TABLE, [key], [stored or "", wanted])
            if await self._calls.one(describe, wish) == 1:
                break
        else:
            raise SchemaConflict(
                f"the description of {table.full_name} is changed by others all the time; "
                "describe it alike everywhere",
                details={"table": table.full_name},
            )
        self._layouts[table.full_name] = layout

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        reading = self._reading(operation.consistency, table, context)
        outcomes = await reading.get(operation)
        versions = [found.version for found in outcomes if isinstance(found, Row)]
        return RowReads(outcomes, self._read_facts(reading, versions))

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        reading = self._reading(operation.consistency, table, context)
        return self._page(reading, await reading.query(operation))

    async def _scan_rows(self, operation: ScanRows, table: Table, context: Context) -> RowPage:
        reading = self._reading(operation.consistency, table, context)
        return self._page(reading, await Scan(reading, operation).page())

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        layout, moment = self._layouts[table.full_name], self._moment()
        commands = [units.command_for(layout, unit, moment) for unit in operation.units]
        level = operation.level or table.write_level
        answers = await self._calls.run(commands, self._write_wish(level, context))
        outcomes = tuple(
            units.outcome_of(layout, unit, answer)
            for unit, answer in zip(operation.units, answers, strict=True)
        )
        versions = [done.version for done in outcomes if isinstance(done, Written)]
        return WriteResults(outcomes, self._write_facts(level, moment, versions))

    async def _change_counters(
        self, operation: ChangeCounters, table: Table, context: Context
    ) -> CounterResults:
        layout, moment = self._layouts[table.full_name], self._moment()
        commands = [counters.command_for(layout, change, moment) for change in operation.changes]
        answers = await self._calls.run(commands, self._write_wish(table.write_level, context))
        outcomes = tuple(
            counters.outcome_of(layout, change, answer)
            for change, answer in zip(operation.changes, answers, strict=True)
        )
        versions = [done.counter.version for done in outcomes if isinstance(done, Changed)]
        return CounterResults(outcomes, self._write_facts(table.write_level, moment, versions))

    async def _get_counters(
        self, operation: GetCounters, table: Table, context: Context
    ) -> CounterReads:
        reading = self._reading(operation.consistency, table, context)
        commands = [
            counters.read_command(reading.layout, key, reading.now_us) for key in operation.keys
        ]
        answers = await self._calls.run(commands, reading.wish)
        outcomes = tuple(
            counters.counter_of(key, answer)
            for key, answer in zip(operation.keys, answers, strict=True)
        )
        versions = [found.version for found in outcomes if isinstance(found, Counter)]
        return CounterReads(outcomes, self._read_facts(reading, versions))

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        layout, moment = self._layouts[table.full_name], self._moment()
        commands = [logs.append_command(layout, record, moment) for record in operation.records]
        answers = await self._calls.run(commands, self._write_wish(table.write_level, context))
        outcomes = tuple(
            logs.outcome_of(layout, record, answer)
            for record, answer in zip(operation.records, answers, strict=True)
        )
        return AppendResults(outcomes, self._write_facts(table.write_level, moment, []))

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        give_up = min(self._clock.monotonic() + operation.wait_s, context.deadline)
        consistency = Consistency(table.read_level, table.staleness_us_max)
        while True:
            reading = self._reading(consistency, table, context)
            command = logs.read_command(reading.layout, operation, reading.now_us)
            answer = await self._calls.one(command, reading.wish)
            found = logs.stretch_of(reading.layout, operation, answer)
            left_s = give_up - self._clock.monotonic()
            if found.records or left_s <= 0:
                facts = self._read_facts(reading, [])
                return LogPage(found.records, found.next_offset, found.end_offset, facts)
            if isinstance(operation.start, FromLatest):
                # The end as it was when the call came is what it must wait behind.
                operation = replace(operation, start=FromOffset(found.next_offset))
            await asyncio.sleep(min(left_s, _FOLLOW_POLL_S))

    def _moment(self) -> Moment:
        margin_us = int(self._settings.reclaim_margin_s * _MICROSECONDS)
        return Moment(self._clock.now_us(), margin_us, self._window_us)

    def _reading(self, consistency: Consistency, table: Table, context: Context) -> Reading:
        level = consistency.level or table.read_level
        wish = Wish(context.deadline, is_write=False)
        if level is Level.BOUNDED_STALENESS:
            bound_us = consistency.staleness_us_max or table.staleness_us_max or 0
            wish.confirmed_since = self._clock.monotonic() - bound_us / _MICROSECONDS
        elif level > Level.BOUNDED_STALENESS:
            wish.confirmed_since = math.inf
        layout = self._layouts[table.full_name]
        return Reading(self._calls, layout, self._clock.now_us(), self._clock.monotonic(), wish)

    def _write_wish(self, level: Level, context: Context) -> Wish:
        is_sure = level in _SURE_WRITES
        return Wish(context.deadline, is_write=True, confirmed_since=math.inf if is_sure else None)

    def _read_facts(self, reading: Reading, versions: Sequence[int]) -> Facts:
        """Say how fresh a read was: as of now, or of when its servers were last confirmed."""
        if self._settings.mode is Mode.STANDALONE:
            level = Level.LINEARIZABLE if is_safe(self._settings) else Level.BOUNDED_STALENESS
            return _facts(level, reading.now_us, versions)
        since = reading.wish.confirmed_since
        if since is None:
            return _facts(Level.EVENTUAL, reading.now_us, versions)
        level = Level.LINEARIZABLE if since == math.inf else Level.BOUNDED_STALENESS
        age_s = max(0.0, reading.began - reading.wish.confirmed_at)
        return _facts(level, reading.now_us - int(age_s * _MICROSECONDS), versions)

    def _write_facts(self, level: Level, moment: Moment, versions: Sequence[int]) -> Facts:
        is_sure = is_safe(self._settings) and (
            level in _SURE_WRITES or self._settings.mode is Mode.STANDALONE
        )
        achieved = Level.LINEARIZABLE if is_sure else Level.EVENTUAL
        return _facts(achieved, moment.now_us, versions)

    def _page(self, reading: Reading, page: PageOfRows) -> RowPage:
        rows, position = page
        facts = self._read_facts(reading, [row.version for row in rows])
        return RowPage(rows, facts, next_position=position)


def _facts(level: Level, as_of_us: int, versions: Sequence[int]) -> Facts:
    return Facts(level, max(versions, default=0), as_of_us, Source.PRIMARY)


def _topology(settings: RedisSettings, clock: Clock) -> Topology:
    made = {Mode.STANDALONE: Standalone, Mode.SENTINEL: Sentinels, Mode.CLUSTER: Cluster}
    return made[settings.mode](settings, clock)
