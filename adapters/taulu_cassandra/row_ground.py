"""Rows of tables that Paxos keeps: one partition as the ground of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from taulu.model import (
    Condition,
    Delete,
    DeleteRange,
    Failed,
    Key,
    Mutation,
    Partition,
    Put,
    Row,
    Update,
    Value,
    WriteUnit,
)
from taulu.model.row import ClusteringRange
from taulu.spi import check_condition
from taulu_cassandra import statements
from taulu_cassandra._driver import Bound, CqlValue
from taulu_cassandra.calls import Call
from taulu_cassandra.folding import cut_ranges
from taulu_cassandra.growth import check_growth, live_rows, rows_added_max
from taulu_cassandra.layout import Clustering
from taulu_cassandra.reading import Reading, read_keys
from taulu_cassandra.slices import is_empty, is_inside, slices_of
from taulu_cassandra.steps import Head
from taulu_cassandra.stored import NATIVE_TTL_S_MAX, StoredTable
from taulu_cassandra.tokens import Result, read_kept


@dataclass(slots=True)
class RowState:
    """What is known of a partition's rows, and what a step has done to them."""

    now_us: int
    rows: dict[Clustering, Row | None]
    """Live rows that were read or written; None is a row known to be absent."""
    rows_max: int
    """At most how many rows the partition holds."""
    live: set[Clustering] | None = None
    """The keys of all live rows, where they had to be counted."""
    written: dict[Clustering, Row | None] = field(default_factory=dict[Clustering, "Row | None"])
    ranges: list[ClusteringRange] = field(default_factory=list[ClusteringRange])


@dataclass(frozen=True, slots=True)
class RowGround:
    """One partition of a kv or wide table."""

    stored: StoredTable
    partition: Partition

    @property
    def place(self) -> tuple[CqlValue, ...]:
        """See `Ground.place`."""
        return self.stored.layout.partition_values(self.partition)

    async def load(self, effects: Sequence[WriteUnit], call: Call) -> tuple[Head, RowState]:
        """Read the head, and every row that a unit's outcome depends on."""
        now_us = self.stored.calls.clock.now_us()
        if not self.stored.layout.clustering:
            return await self._load_alone(call, now_us)
        layout = self.stored.layout
        bound = await self.stored.bind(statements.select_head(layout), *self.place)
        found = await self.stored.calls.read(bound, layout.levels.serial, call)
        seq, last, rows_max = found[0] if found else (None, None, None)
        head = Head(seq, read_kept(last))
        state = RowState(now_us, {}, rows_max or 0)
        if seq is None:
            state.rows = dict.fromkeys(_keys_needed(effects))
            return head, state
        await self._load_rows(effects, state, call)
        return head, state

    async def _load_alone(self, call: Call, now_us: int) -> tuple[Head, RowState]:
        """Read a row that is its own partition, with its head, in one request."""
        layout = self.stored.layout
        bound = await self.stored.bind(statements.select_row(layout), *self.place)
        found = await self.stored.calls.read(bound, layout.levels.serial, call)
        if not found:
            return Head(None, ()), RowState(now_us, {(): None}, 0)
        *fields, seq, last = found[0]
        reading = Reading(self.stored, layout.levels.serial, call, now_us)
        row = reading.live(layout.read_row(self.partition, tuple(fields)))
        return Head(seq, read_kept(last)), RowState(now_us, {(): row}, 0)

    async def _load_rows(self, effects: Sequence[WriteUnit], state: RowState, call: Call) -> None:
        layout = self.stored.layout
        # By Paxos where a refusal rests on it. Else a quorum is enough: what is older than the
        # head cannot be read there any more, and on what is newer the step will not be taken.
        decides = any(effect.conditions for effect in effects)
        limit = layout.table.limits.partition_rows
        level = layout.levels.serial if decides or limit is not None else layout.levels.quorum
        reading = Reading(self.stored, level, call, state.now_us)
        await self._load_keys(reading, _keys_needed(effects), state)
        added = sum(rows_added_max(effect.mutations) for effect in effects)
        if limit is not None and state.rows_max + added > limit:
            state.live = await live_rows(reading, self.partition, limit)
            state.rows_max = len(state.live)

    async def _load_keys(
        self, reading: Reading, keys: Sequence[Clustering], state: RowState
    ) -> None:
        wanted = [Key(self.partition, clustering) for clustering in keys]
        for key, outcome in (await read_keys(reading, self.partition, wanted)).items():
            if isinstance(outcome, Failed):
                raise outcome.error
            state.rows[key.clustering] = outcome if isinstance(outcome, Row) else None

    async def settle(self, state: RowState, call: Call) -> None:
        """See `Ground.settle`; rows leave nothing but tokens in the head."""

    def apply(self, state: RowState, effect: WriteUnit, version: int) -> Result:
        """Check conditions, then apply mutations in memory."""
        for index, condition in enumerate(effect.conditions):
            self._check(state.rows.get(condition.key.clustering), index, condition)
        if state.live is not None:
            state.live = check_growth(self.stored, state.live, effect.mutations)
            state.rows_max = len(state.live)
        else:
            state.rows_max += rows_added_max(effect.mutations)
        for mutation in effect.mutations:
            self._apply_one(state, mutation, version)
        return (version,)

    def _check(self, row: Row | None, index: int, condition: Condition) -> None:
        version = None if row is None else row.version
        columns: Mapping[str, Value] = {} if row is None else row.columns
        check_condition(self.stored.layout.table, index, condition, version, columns)

    def _apply_one(self, state: RowState, mutation: Mutation, version: int) -> None:
        match mutation:
            case Put(key=key, columns=columns):
                expire_us = self._expiry(state, mutation.ttl_us)
                self._write(state, key.clustering, Row(key, _set(columns), version, expire_us))
            case Update(key=key):
                before = state.rows.get(key.clustering)
                self._write(state, key.clustering, self._updated(state, mutation, before, version))
            case Delete(key=key):
                self._write(state, key.clustering, None)
            case DeleteRange(range=wanted):
                self._delete_range(state, wanted)

    def _updated(self, state: RowState, update: Update, before: Row | None, version: int) -> Row:
        if before is None:
            expire_us = self._expiry(state, update.ttl_us)
            return Row(update.key, _set(update.columns), version, expire_us)
        columns = _set({**before.columns, **update.columns})
        row = replace(before, columns=columns, version=version)
        if update.ttl_us is None:
            return row
        return replace(row, expire_us=state.now_us + update.ttl_us)

    def _expiry(self, state: RowState, ttl_us: int | None) -> int | None:
        lasting_us = self.stored.layout.table.ttl_us if ttl_us is None else ttl_us
        return None if lasting_us is None else state.now_us + lasting_us

    def _write(self, state: RowState, clustering: Clustering, row: Row | None) -> None:
        state.rows[clustering] = row
        state.written[clustering] = row

    def _delete_range(self, state: RowState, wanted: ClusteringRange) -> None:
        keys = self.stored.layout.keys
        if is_empty(keys, wanted):
            return
        for clustering in state.rows:
            if is_inside(keys, clustering, wanted):
                state.rows[clustering] = None
                # The range itself deletes it, with all that was not read.
                state.written.pop(clustering, None)
        state.ranges.append(wanted)

    async def finish(self, state: RowState, call: Call) -> None:
        """See `Ground.finish`; the batch was all."""

    async def batch(self, state: RowState, before: Head, after: Head) -> list[Bound]:
        """See `Ground.batch`."""
        layout = self.stored.layout
        batch = [await self._head(state, before, after)]
        for clustering, row in state.written.items():
            batch.append(await self._row(clustering, row))
        written = [clustering for clustering, row in state.written.items() if row is not None]
        for stretch in cut_ranges(layout.keys, state.ranges, written):
            for wanted in slices_of(stretch):
                text = statements.delete_slice_serial(layout, wanted)
                own = statements.slice_values(layout, wanted, floor=True)
                batch.append(await self.stored.bind(text, *self.place, *own))
        return batch

    async def _head(self, state: RowState, before: Head, after: Head) -> Bound:
        layout = self.stored.layout
        ttl_s = 0
        rows: tuple[CqlValue, ...] = (state.rows_max,)
        if not layout.clustering:
            rows = ()
            ttl_s = self._head_ttl_s(state.rows[()])
        values = (ttl_s, after.seq, [kept.to_cql() for kept in after.last], *rows)
        text = statements.set_row_head(layout)
        return await self.stored.bind(text, *values, *self.place, before.seq)

    def _head_ttl_s(self, row: Row | None) -> int:
        """Let the head of a row that is gone, or will be, go some time after the last token."""
        lasting_s = 0 if row is None else self.stored.native_ttl_s(row.expire_us)
        if row is not None and not lasting_s:
            return 0
        ttl_s = lasting_s + self.stored.window_s + self.stored.margin_s + 1
        return ttl_s if ttl_s <= NATIVE_TTL_S_MAX else 0

    async def _row(self, clustering: Clustering, row: Row | None) -> Bound:
        layout = self.stored.layout
        key = (*self.place, *layout.clustering_values(clustering))
        if row is None:
            return await self.stored.bind(statements.delete_serial(layout), *key)
        values = (*key, *layout.column_values(row.columns), row.version, row.expire_us)
        ttl_s = self.stored.native_ttl_s(row.expire_us)
        return await self.stored.bind(statements.put_serial(layout), *values, ttl_s)


def _keys_needed(effects: Sequence[WriteUnit]) -> list[Clustering]:
    """Return the keys of the rows that must be known before units are applied."""
    needed: dict[Clustering, None] = {}
    for effect in effects:
        needed.update(dict.fromkeys(c.key.clustering for c in effect.conditions))
        for mutation in effect.mutations:
            if isinstance(mutation, Update):
                needed[mutation.key.clustering] = None
    return list(needed)


def _set(columns: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in columns.items() if value is not None}
