"""A model store: each row a register whose every state is kept, with delays and faults.

It is linearizable at QUORUM. Versions are hybrid, by the clock of the gateway that writes, and
rise along each row, but not across the rows of a partition: a store promises no more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from taulu.model import (
    Absent,
    Delete,
    Facts,
    Failed,
    GetRows,
    Key,
    Kind,
    Level,
    Put,
    QueryRows,
    Row,
    RowPage,
    RowReads,
    Table,
    Unavailable,
    Update,
    WriteOutcomeUnknown,
    WriteResults,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.model.clock import Clock
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding
from tests.cache.registers import Cell, Registers
from tests.cache.sim_time import now_s, true_s

LAG_S = 4.0
"""How far reads below QUORUM lag behind: as far as any store may."""


@dataclass(slots=True)
class StoreFaults:
    """How the store misbehaves; shares of calls, and delays in seconds."""

    delay_s: float = 0.002
    """The usual delay of each way."""
    slow_share: float = 0.02
    slow_s: float = 0.5
    """How long a slow way takes at most."""
    fail_share: float = 0.0
    """Calls that fail before they had any effect."""
    unknown_share: float = 0.0
    """Writes whose outcome is not told."""
    late_s: float = 0.0
    """How long after that the effect may still come."""


@dataclass(slots=True)
class ModelStore:
    """What all gateways read and write."""

    choose: random.Random
    registers: Registers
    faults: StoreFaults = field(default_factory=StoreFaults)
    reads: int = 0
    """Rows and pages that were read."""
    _done: dict[str, int] = field(default_factory=dict[str, int])
    """Versions of the units that were applied, by token."""

    async def way(self) -> None:
        """Let one way to or from the store take its time."""
        await asyncio.sleep(self._way_s())

    def _way_s(self) -> float:
        faults, choose = self.faults, self.choose
        if choose.random() < faults.slow_share:
            return choose.random() * faults.slow_s
        return choose.expovariate(1 / faults.delay_s)

    def apply(self, table: str, unit: WriteUnit, version: int) -> Written:
        """Apply a unit once, at this version or a higher one."""
        before = self._done.get(unit.token.nonce)
        if before is not None:
            return Written(before)
        cells = [self.registers.cell(table, _key(mutation)) for mutation in unit.mutations]
        written_us = version
        version = max(version, *(cell.states[-1].version + 1 for cell in cells))
        for cell, mutation in zip(cells, unit.mutations, strict=True):
            value = None if isinstance(mutation, Delete) else int(str(mutation.columns["n"]))
            ttl_us = mutation.ttl_us if isinstance(mutation, Put) else None
            expire_us = None if ttl_us is None else written_us + ttl_us
            at = cell.change(now_s(), unit.token.nonce, value, version, expire_us)
            if expire_us is not None:
                self._expire(cell, at, expire_us)
        self._done[unit.token.nonce] = version
        return Written(version, is_first=True)

    def _expire(self, cell: Cell, at: int, expire_us: int) -> None:
        """Let a row end, by the store's clock, which is right."""
        loop = asyncio.get_running_loop()
        loop.call_at(true_s(expire_us), lambda: cell.expire(now_s(), at))

    async def write(self, table: str, unit: WriteUnit, clock: Clock) -> Written | Failed:
        """Write one unit, as one gateway does."""
        faults, choose = self.faults, self.choose
        # Given before the write takes effect, as stores do that begin a transaction with it.
        version = clock.now_us()
        is_failed = choose.random() < faults.fail_share
        is_unknown = choose.random() < faults.unknown_share
        try:
            await self.way()
        except asyncio.CancelledError:
            if choose.random() < 0.5:
                self._later(table, unit, version)
            raise
        if is_failed:
            return Failed(Unavailable("the model store did not take the write"))
        if is_unknown and choose.random() < 0.5:
            self._later(table, unit, version)
            return Failed(WriteOutcomeUnknown("the model store may take the write yet"))
        written = self.apply(table, unit, version)
        await self.way()
        if is_unknown:
            return Failed(WriteOutcomeUnknown("the model store took the write, and does not say"))
        return written

    def _later(self, table: str, unit: WriteUnit, version: int) -> None:
        delay_s = self.choose.random() * self.faults.late_s
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, lambda: self.apply(table, unit, version))

    async def moment(self, level: Level) -> float | None:
        """Take the way to the store; return the past time to be read, None for the present."""
        await self.way()
        if self.choose.random() < self.faults.fail_share:
            raise Unavailable("the model store cannot be read")
        self.reads += 1
        return now_s() - LAG_S if level < Level.QUORUM else None


def _key(mutation: object) -> Key:
    if not isinstance(mutation, Put | Update | Delete):
        raise TypeError("the model store knows no ranges")
    return mutation.key


class ModelAdapter(Adapter):
    """One gateway's way to the model store."""

    name = "model"
    capabilities = Capabilities(
        kinds=frozenset({Kind.KV, Kind.WIDE}),
        features=frozenset({Feature.WRITE_ORDER, Feature.SCAN, Feature.ROW_TTL}),
        read_levels=frozenset(Level),
        write_levels=frozenset({Level.QUORUM, Level.LINEARIZABLE}),
    )

    def __init__(self, store: ModelStore, clock: Clock) -> None:
        super().__init__()
        self._store = store
        self._clock = clock

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> ModelAdapter:
        raise NotImplementedError

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        return []

    async def _prepare(self, table: Table) -> None: ...

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        as_of_us = self._clock.now_us()
        level = operation.consistency.level or Level.QUORUM
        past_s = await self._store.moment(level)
        outcomes: list[Row | Absent] = []
        for key in operation.keys:
            state = self._store.registers.cell(operation.table, key).at(past_s)
            outcomes.append(state.row(key))
        await self._store.way()
        versions = [row.version for row in outcomes if isinstance(row, Row)]
        return RowReads(tuple(outcomes), Facts(level, max(versions, default=0), as_of_us))

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        as_of_us = self._clock.now_us()
        level = operation.consistency.level or Level.QUORUM
        past_s = await self._store.moment(level)
        rows: list[Row] = []
        after = operation.page.position.decode()
        for key, cell in self._store.registers.partition(operation.table, operation.partition):
            row = cell.at(past_s).row(key)
            if isinstance(row, Row) and str(key.clustering[0]) > after:
                rows.append(row)
        has_more = len(rows) > operation.page.rows_max
        rows = rows[: operation.page.rows_max]
        await self._store.way()
        position = str(rows[-1].key.clustering[0]).encode() if has_more else b""
        version = max((row.version for row in rows), default=0)
        return RowPage(tuple(rows), Facts(level, version, as_of_us), position)

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        as_of_us = self._clock.now_us()
        writes = (self._store.write(operation.table, u, self._clock) for u in operation.units)
        outcomes = await asyncio.gather(*writes)
        versions = [done.version for done in outcomes if isinstance(done, Written)]
        facts = Facts(Level.LINEARIZABLE, max(versions, default=0), as_of_us)
        return WriteResults(tuple(outcomes), facts)
