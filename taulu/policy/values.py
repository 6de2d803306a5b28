"""What is sent fits the table: its key columns, its other columns, and their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar, cast

from taulu.model.errors import InvalidArgument
from taulu.model.operation import (
    Condition,
    CounterChange,
    Delete,
    DeleteRange,
    GetRows,
    IfColumns,
    Mutation,
    NewRecord,
    Operation,
    QueryRows,
    ReadLog,
    ScanRows,
    WriteUnit,
)
from taulu.model.row import Bound, ClusteringRange, Key
from taulu.model.table import TTL_US_MAX, Kind, Table
from taulu.model.value import KeyValue, Value
from taulu.policy.column_types import ColumnCheck, key_checks, nearest
from taulu.policy.screen import Check

OperationT = TypeVar("OperationT", bound=Operation[object])


class Values(Check):
    """Checks keys and columns against the table; compiled once, at load."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._partition = key_checks(table.partition_key)
        self._clustering = key_checks(tuple(c.column for c in table.clustering_key))
        self._columns = {column.name: ColumnCheck(column) for column in table.columns}
        self._key_names = {c.name for c in table.partition_key} | {
            c.column.name for c in table.clustering_key
        }

    def key(self, key: Key) -> Key:
        """Check that a key has a value of the right type for each key column."""
        return Key(
            self._whole_key("partition", self._partition, key.partition),
            self._whole_key("clustering", self._clustering, key.clustering),
        )

    def unit(self, unit: WriteUnit) -> WriteUnit:
        """Check every mutation and condition of a unit."""
        if not unit.mutations:
            raise self._wrong("the write has no mutations; give at least one")
        return replace(
            unit,
            mutations=tuple(self._mutation(mutation) for mutation in unit.mutations),
            conditions=tuple(self._condition(condition) for condition in unit.conditions),
        )

    def change(self, change: CounterChange) -> CounterChange:
        """Check the key of a counter change."""
        return replace(change, key=self.key(change.key))

    def record(self, record: NewRecord) -> NewRecord:
        """Check the key and columns of a log record."""
        key = self._whole_key("key", self._partition, record.key)
        return replace(record, key=key, columns=self._values(record.columns))

    def whole(self, operation: OperationT) -> OperationT:
        """Check partition, range, segment, log partition and the names of columns to return."""
        checked: Operation[object] = self._named(operation)
        match checked:
            case QueryRows():
                partition = self._whole_key("partition", self._partition, checked.partition)
                checked = replace(checked, partition=partition, range=self._range(checked.range))
            case ScanRows(segment=segment, segment_count=count):
                if not 0 <= segment < count <= SEGMENTS_MAX:
                    raise self._wrong(
                        f"segment {segment} of {count} does not exist; count segments from 0 "
                        f"and use at most {SEGMENTS_MAX}"
                    )
            case ReadLog(partition=partition) if self.table.kind is Kind.LOG:
                if not 0 <= partition < self.table.log_partitions:
                    raise self._wrong(
                        f"log partition {partition} does not exist; "
                        f"there are {self.table.log_partitions}, from 0"
                    )
            case _:
                pass
        return cast(OperationT, checked)

    def _named(self, operation: Operation[object]) -> Operation[object]:
        """Check the names of columns to return, and keep each once.

        A request can name one column a million times, and each name is looked up in each row.
        """
        if not isinstance(operation, GetRows | QueryRows | ScanRows) or not operation.columns:
            return operation
        names = tuple(dict.fromkeys(operation.columns))
        for name in names:
            self._check_name(name)
        return replace(operation, columns=names)

    def _mutation(self, mutation: Mutation) -> Mutation:
        match mutation:
            case Delete(key=key):
                return Delete(self.key(key))
            case DeleteRange(partition=partition, range=stretch):
                whole = self._whole_key("partition", self._partition, partition)
                return DeleteRange(whole, self._range(stretch))
            case _:
                if mutation.ttl_us is not None and not 0 < mutation.ttl_us <= TTL_US_MAX:
                    raise self._wrong(
                        "a time to live must be above zero and at most 100 years; leave it out "
                        "for none"
                    )
                return replace(
                    mutation, key=self.key(mutation.key), columns=self._values(mutation.columns)
                )

    def _condition(self, condition: Condition) -> Condition:
        key = self.key(condition.key)
        if isinstance(condition, IfColumns):
            return IfColumns(key, self._values(condition.columns))
        return replace(condition, key=key)

    def _range(self, stretch: ClusteringRange) -> ClusteringRange:
        return ClusteringRange(self._bound(stretch.start), self._bound(stretch.end))

    def _bound(self, bound: Bound | None) -> Bound | None:
        if bound is None:
            return None
        if len(bound.prefix) > len(self._clustering):
            raise self._wrong(
                f"a range bound has {len(bound.prefix)} values, but the table has "
                f"{len(self._clustering)} clustering columns"
            )
        return replace(bound, prefix=self._typed(self._clustering, bound.prefix))

    def _whole_key(
        self, part: str, checks: tuple[ColumnCheck, ...], values: tuple[KeyValue, ...]
    ) -> tuple[KeyValue, ...]:
        if len(values) != len(checks):
            names = ", ".join(check.column.name for check in checks) or "none"
            raise self._wrong(
                f"the {part} part of a key has {len(values)} values, "
                f"but the table has {len(checks)} such columns: {names}"
            )
        return self._typed(checks, values)

    def _typed(
        self, checks: tuple[ColumnCheck, ...], values: tuple[KeyValue, ...]
    ) -> tuple[KeyValue, ...]:
        return tuple(
            cast(KeyValue, check(self.table, value))
            for check, value in zip(checks, values, strict=False)
        )

    def _values(self, columns: Mapping[str, Value]) -> dict[str, Value]:
        checked: dict[str, Value] = {}
        for name, value in columns.items():
            check = self._columns.get(name)
            if check is None:
                self._check_name(name)
                raise self._wrong(f"{name!r} is a key column; give it in the key alone")
            checked[name] = None if value is None else check(self.table, value)
        return checked

    def _check_name(self, name: str) -> None:
        if name not in self._columns and name not in self._key_names:
            raise self._wrong(f"there is no column {name!r}; {nearest(name, self._columns)}")

    def _wrong(self, message: str) -> InvalidArgument:
        return InvalidArgument(
            f"{self.table.full_name}: {message}", details={"table": self.table.full_name}
        )


SEGMENTS_MAX = 1024
