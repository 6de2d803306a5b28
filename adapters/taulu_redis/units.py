"""Write units as runs of a script, and the script's answers as outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from taulu.codec import stretch_of
from taulu.model import (
    Condition,
    Delete,
    DeleteRange,
    Failed,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Key,
    Kind,
    LimitExceeded,
    Mutation,
    Put,
    TauluError,
    TypeName,
    Update,
    Value,
    WriteOutcome,
    WriteUnit,
    Written,
)
from taulu.spi import condition_failed, partitions_of
from taulu_redis._driver import Argument, Reply
from taulu_redis.calls import Command
from taulu_redis.columns import encode
from taulu_redis.keys import Spot
from taulu_redis.layout import Layout
from taulu_redis.scripts import WRITE_PARTITION, WRITE_ROW
from taulu_redis.stretches import lex_limits
from taulu_redis.tokens import Moment, reused, token_key

_MODES = {TypeName.DECIMAL: "decimal", TypeName.FLOAT64: "float"}
"""How columns are compared whose equal values may be spelled differently."""


def command_for(layout: Layout, unit: WriteUnit, moment: Moment) -> Command:
    """Return the run of a script that applies a unit."""
    (partition,) = partitions_of(unit)
    spot = layout.spots.of(partition)
    writer = _Writer(layout, spot, unit, moment)
    return writer.row() if layout.table.kind is Kind.KV else writer.partition()


class _Writer:
    """Spells out the arguments of one unit."""

    def __init__(self, layout: Layout, spot: Spot, unit: WriteUnit, moment: Moment) -> None:
        self._layout = layout
        self._spot = spot
        self._unit = unit
        self._moment = moment
        self._is_wide = layout.table.kind is Kind.WIDE
        self._no_end = "-" if self._is_wide else ""
        self._written: list[bytes] = []
        """The places that earlier mutations of a wide unit put rows at."""

    def row(self) -> Command:
        spot = self._spot
        keys = [spot.key("row"), spot.shared("clock"), token_key(spot, self._unit)]
        prefix = Spot(spot.tag, "").key("row")
        return Command.run(WRITE_ROW, [*keys, *self._index()], self._arguments(prefix, spot.name))

    def partition(self) -> Command:
        spot = self._spot
        keys = [spot.key("order"), spot.key("rows"), spot.key("ends")]
        keys += [spot.shared("clock"), token_key(spot, self._unit), *self._index()]
        rows_max = self._layout.table.limits.partition_rows
        limit = "" if rows_max is None else rows_max
        return Command.run(WRITE_PARTITION, keys, self._arguments(spot.name, limit))

    def _index(self) -> list[bytes]:
        if not self._layout.is_scanned:
            return []
        return [self._spot.shared("index"), self._spot.shared("index_ends")]

    def _arguments(self, *own: Argument) -> list[Argument]:
        arguments = [*self._moment.opening(self._unit), *own, len(self._unit.conditions)]
        for condition in self._unit.conditions:
            arguments += self._condition(condition)
        mutations = [self._mutation(mutation) for mutation in self._unit.mutations]
        arguments.append(len(mutations) - mutations.count([]))
        for spelled in mutations:
            arguments += spelled
        return arguments

    def _place(self, key: Key) -> list[Argument]:
        return [self._layout.keys.clustering(key.clustering)] if self._is_wide else []

    def _condition(self, condition: Condition) -> list[Argument]:
        place = self._place(condition.key)
        match condition:
            case IfAbsent():
                return [*place, "absent"]
            case IfPresent():
                return [*place, "present"]
            case IfVersion(version=version):
                return [*place, "version", version]
            case IfColumns(columns=columns):
                wanted: list[Argument] = [*place, "columns", len(columns)]
                for name, value in columns.items():
                    wanted += [name, *self._wanted(name, value)]
                return wanted

    def _wanted(self, name: str, value: Value) -> tuple[Argument, Argument]:
        if value is None:
            return "unset", ""
        columns = self._layout.columns
        kind = columns.types[name]
        text = columns.json_text(name, value) if self._is_wide else encode(kind, value)
        return _MODES.get(kind.name, "text"), text

    def _mutation(self, mutation: Mutation) -> list[Argument]:
        match mutation:
            case Put(key=key, columns=columns, ttl_us=ttl_us):
                end = self._end(self._layout.table.ttl_us if ttl_us is None else ttl_us)
                return ["put", *self._put_at(key), end, *self._columns(columns)]
            case Update():
                return self._update(mutation)
            case Delete(key=key):
                return ["delete", *self._place(key)]
            case DeleteRange():
                return self._delete_range(mutation)

    def _put_at(self, key: Key) -> list[Argument]:
        place = self._place(key)
        self._written += cast("list[bytes]", place)
        return place

    def _end(self, ttl_us: int | None) -> Argument:
        return self._no_end if ttl_us is None else self._moment.now_us + ttl_us

    def _columns(self, columns: Mapping[str, Value]) -> list[Argument]:
        if self._is_wide:
            return [self._layout.columns.to_body(columns)]
        fields = self._layout.columns.to_fields(columns)
        return [len(fields) // 2, *fields]

    def _update(self, update: Update) -> list[Argument]:
        own_us, table_us = update.ttl_us, self._layout.table.ttl_us
        if_made = self._end(table_us if own_us is None else own_us)
        if_kept: Argument = "" if own_us is None else self._end(own_us)
        cleared = [name for name, value in update.columns.items() if value is None]
        return [
            *("update", *self._put_at(update.key), if_made, if_kept),
            *(*self._columns(update.columns), len(cleared), *cleared),
        ]

    def _delete_range(self, mutation: DeleteRange) -> list[Argument]:
        stretch = stretch_of(self._layout.keys, mutation.range)
        if not self._is_wide:
            return ["delete"] if stretch.has(b"") else []
        inside = [place for place in dict.fromkeys(self._written) if stretch.has(place)]
        return ["range", *lex_limits(stretch), len(inside), *inside]


def outcome_of(layout: Layout, unit: WriteUnit, answer: Reply | TauluError) -> WriteOutcome:
    """Return the outcome of a unit from what its script answered."""
    if isinstance(answer, TauluError):
        return Failed(answer)
    verdict, *facts = cast("list[bytes]", answer)
    match verdict:
        case b"done":
            return Written(int(facts[0]), is_first=len(facts) > 1)
        case b"reused":
            return Failed(reused(layout.table.full_name, unit))
        case b"rows":
            return Failed(_too_many_rows(layout, cast(int, facts[0])))
        case _:
            index, version = cast("tuple[int, bytes]", tuple(facts))
            condition = unit.conditions[index]
            return Failed(condition_failed(layout.table, index, condition, int(version) or None))


def _too_many_rows(layout: Layout, count: int) -> LimitExceeded:
    limit = layout.table.limits.partition_rows
    return LimitExceeded(
        f"the write would leave {count} rows in one partition of {layout.table.full_name}, above "
        f"limits.partition_rows of {limit}; delete rows first, or spread them over more partitions",
        details={"limit": "partition_rows", "value": str(limit)},
    )
