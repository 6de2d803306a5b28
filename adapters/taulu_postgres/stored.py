"""A prepared table with all that was compiled for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from taulu.codec import KeyCodec, RowCodec
from taulu.model import Column, Key, Partition, Table
from taulu_postgres._driver import SqlRow
from taulu_postgres.columns import SqlType, sql_type
from taulu_postgres.definitions import key_columns
from taulu_postgres.dialect import Dialect
from taulu_postgres.names import Names, quote
from taulu_postgres.slots import slot_of


class Values:
    """The values of one statement, numbered as they are added."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def add(self, value: object, type_name: str) -> str:
        """Add a value; return what stands for it in the statement."""
        self.given.append(value)
        return f"${len(self.given)}::{type_name}"


@dataclass(frozen=True)
class StoredTable:
    """A prepared table."""

    table: Table
    id: int
    """Stands for the table in tokens and slots."""
    names: Names
    dialect: Dialect
    window_us: int
    """How long tokens are remembered."""
    forgotten: tuple[str, ...] = ()
    """Quoted columns that the table has and the description no longer has."""

    @cached_property
    def name(self) -> str:
        """The quoted, qualified name."""
        return self.names.table(self.table)

    @cached_property
    def keys(self) -> KeyCodec:
        """Keys as bytes, for slots, positions and sizes."""
        return KeyCodec(self.table)

    @cached_property
    def rows(self) -> RowCodec:
        """Rows as bytes, for their sizes."""
        return RowCodec(self.table)

    @cached_property
    def key_types(self) -> list[tuple[str, SqlType]]:
        """Quoted name and type of every key column."""
        return _typed(key_columns(self.table))

    @cached_property
    def partition_types(self) -> list[tuple[str, SqlType]]:
        """Quoted name and type of every partition key column."""
        return self.key_types[: len(self.table.partition_key)]

    @cached_property
    def clustering_types(self) -> list[tuple[str, SqlType]]:
        """Quoted name and type of every clustering column."""
        return self.key_types[len(self.table.partition_key) :]

    @cached_property
    def column_types(self) -> dict[str, tuple[str, SqlType]]:
        """Quoted name and type of every other column, by name."""
        names = [column.name for column in self.table.columns]
        return dict(zip(names, _typed(self.table.columns), strict=True))

    def slot(self, partition: Partition) -> int:
        """Return the slot of a partition."""
        return slot_of(self.keys.partition(partition))

    def key_values(self, key: Key) -> list[object]:
        """Return the key's values as they are stored."""
        given = (*key.partition, *key.clustering)
        return [held.encode(value) for (_, held), value in zip(self.key_types, given, strict=True)]

    def key_of(self, fields: Sequence[object]) -> Key:
        """Return the key of stored key values."""
        values = [
            held.decode(value) for (_, held), value in zip(self.key_types, fields, strict=True)
        ]
        split = len(self.partition_types)
        return Key(tuple(values[:split]), tuple(values[split:]))

    def column_values(self, columns: Mapping[str, object]) -> list[object]:
        """Return every column's value as it is stored; None where it is not set.

        Raises:
            KeyError: A name is no column.
        """
        unknown = columns.keys() - self.column_types.keys()
        if unknown:
            raise ValueError(f"{self.table.full_name} has no column {min(unknown)!r}")
        return [
            None if columns.get(name) is None else held.encode(columns[name])
            for name, (_, held) in self.column_types.items()
        ]

    def wanted(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that are asked for and exist; all when none is named."""
        return [name for name in columns or self.column_types if name in self.column_types]

    def selected(self, names: Sequence[str], alias: str = "") -> list[str]:
        """Return columns as expressions of a SELECT, each under its own name."""
        found = [self.column_types[name] for name in names]
        return [
            f"{held.selected(alias + quoted)} AS {quoted}" if held.is_document else alias + quoted
            for quoted, held in found
        ]

    def columns_of(self, names: Sequence[str], fields: SqlRow) -> dict[str, object]:
        """Return the columns that are set, of what `selected` selected."""
        return {
            name: self.column_types[name][1].decode(value)
            for name, value in zip(names, fields, strict=True)
            if value is not None
        }


def _typed(columns: Sequence[Column]) -> list[tuple[str, SqlType]]:
    return [(quote(column.name), sql_type(column.type)) for column in columns]
