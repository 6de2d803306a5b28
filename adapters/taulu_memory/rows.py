"""The rows of one `kv` or `wide` table, as a dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from taulu.model import (
    Absent,
    Condition,
    ConditionFailed,
    Delete,
    DeleteRange,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Key,
    LimitExceeded,
    Mutation,
    Put,
    Row,
    Table,
    Update,
    Value,
    WriteUnit,
    Written,
)
from taulu_memory.moment import Moment
from taulu_memory.order import is_inside
from taulu_memory.tokens import TokenBook


@dataclass(slots=True)
class Rows:
    """All rows of a table, expired ones included until they are overwritten."""

    table: Table
    tokens: TokenBook[Written]
    held: dict[Key, Row]

    def get(self, key: Key, now_us: int, columns: tuple[str, ...] = ()) -> Row | Absent:
        """Return a row that has not expired."""
        row = self.held.get(key)
        if row is None or not _is_live(row, now_us):
            return Absent()
        return select(row, columns)

    def live(self, now_us: int) -> list[Row]:
        """Return every row that has not expired."""
        return [row for row in self.held.values() if _is_live(row, now_us)]

    def apply(self, unit: WriteUnit, moment: Moment) -> Written:
        """Apply a unit once, whole or not at all.

        Raises:
            ConditionFailed: A condition does not hold.
            LimitExceeded: A partition would hold more rows than the table allows.
            TokenReused: The token has named another effect.
        """
        before = self.tokens.recall(unit, moment.now_us)
        if before is not None:
            return before
        for index, condition in enumerate(unit.conditions):
            self._check(index, condition, moment.now_us)
        after = Rows(self.table, self.tokens, dict(self.held))
        version = moment.version()
        for mutation in unit.mutations:
            after._apply_one(mutation, version, moment)
        self._check_growth(after, unit, moment.now_us)
        self.held = after.held
        self.tokens.remember(unit, Written(version), moment.now_us)
        return Written(version, is_first=True)

    def _check(self, index: int, condition: Condition, now_us: int) -> None:
        row = self.get(condition.key, now_us)
        present = isinstance(row, Row)
        match condition:
            case IfAbsent():
                holds = not present
            case IfPresent():
                holds = present
            case IfVersion(version=version):
                holds = isinstance(row, Row) and row.version == version
            case IfColumns(columns=columns):
                holds = isinstance(row, Row) and _has(row, columns)
        if not holds:
            version = row.version if isinstance(row, Row) else 0
            raise ConditionFailed(
                f"condition {index} on {self.table.full_name} does not hold; read the row again, "
                "then decide",
                details={"index": str(index), "version": str(version)},
            )

    def _apply_one(self, mutation: Mutation, version: int, moment: Moment) -> None:
        match mutation:
            case Put(key=key, columns=columns, ttl_us=ttl_us):
                self.held[key] = Row(key, _set(columns), version, self._expiry(ttl_us, moment))
            case Update():
                self._update(mutation, version, moment)
            case Delete(key=key):
                self.held.pop(key, None)
            case DeleteRange(partition=partition, range=stretch):
                for key in list(self.held):
                    inside = is_inside(self.table, key.clustering, stretch)
                    if key.partition == partition and inside:
                        del self.held[key]

    def _update(self, update: Update, version: int, moment: Moment) -> None:
        before = self.get(update.key, moment.now_us)
        if isinstance(before, Absent):
            expire_us = self._expiry(update.ttl_us, moment)
            self.held[update.key] = Row(update.key, _set(update.columns), version, expire_us)
            return
        expire_us = before.expire_us
        if update.ttl_us is not None:
            expire_us = moment.expiry(update.ttl_us)
        columns = _set({**before.columns, **update.columns})
        self.held[update.key] = Row(update.key, columns, version, expire_us)

    def _expiry(self, ttl_us: int | None, moment: Moment) -> int | None:
        return moment.expiry(self.table.ttl_us if ttl_us is None else ttl_us)

    def _check_growth(self, after: Rows, unit: WriteUnit, now_us: int) -> None:
        """Refuse a unit that adds rows to a partition and leaves it above its limit."""
        limit = self.table.limits.partition_rows
        if limit is None:
            return
        written = {m.key for m in unit.mutations if isinstance(m, Put | Update)}
        grown = {key.partition for key in written if isinstance(self.get(key, now_us), Absent)}
        for partition in grown:
            count = sum(row.key.partition == partition for row in after.live(now_us))
            if count > limit:
                raise LimitExceeded(
                    f"the write would leave {count} rows in one partition of "
                    f"{self.table.full_name}, above limits.partition_rows of {limit}; delete "
                    "rows first, or spread them over more partitions",
                    details={"limit": "partition_rows", "value": str(limit)},
                )


def select(row: Row, columns: tuple[str, ...]) -> Row:
    """Return a row with the named columns only; all of them when none is named."""
    if not columns:
        return row
    return replace(row, columns={n: v for n, v in row.columns.items() if n in columns})


def _is_live(row: Row, now_us: int) -> bool:
    return row.expire_us is None or row.expire_us > now_us


def _set(columns: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in columns.items() if value is not None}


def _has(row: Row, wanted: Mapping[str, Value]) -> bool:
    return all(row.columns.get(name) == value for name, value in wanted.items())
