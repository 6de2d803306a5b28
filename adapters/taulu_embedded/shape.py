"""How each table was described when its data was written, and whether a new description fits.

Columns are never forgotten: a column that a description no longer has may still be in stored
rows, so its name stays bound to its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from taulu.codec import KeyCodec, RowCodec
from taulu.model import Corrupt, Table
from taulu.spi import check_fits
from taulu_embedded import statements
from taulu_embedded._driver import Connection
from taulu_embedded.tokens import TokenBook
from taulu_embedded.transaction import Transaction


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A prepared table with all that was compiled for it."""

    table: Table
    id: int
    """Stands for the table in every stored row."""
    keys: KeyCodec
    rows: RowCodec
    tokens: TokenBook


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: str
    partition_key: tuple[str, ...]
    """`name type`, in order."""
    clustering_key: tuple[str, ...]
    """`name type asc|desc`, in order."""
    log_partitions: int
    columns: Mapping[str, str]

    def to_json(self) -> str:
        parts = {
            "kind": self.kind,
            "partition_key": self.partition_key,
            "clustering_key": self.clustering_key,
            "log_partitions": self.log_partitions,
            "columns": dict(sorted(self.columns.items())),
        }
        return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def _shape_of(table: Table) -> _Shape:
    return _Shape(
        kind=table.kind.value,
        partition_key=tuple(f"{c.name} {c.type}" for c in table.partition_key),
        clustering_key=tuple(
            f"{c.column.name} {c.column.type} {'desc' if c.descending else 'asc'}"
            for c in table.clustering_key
        ),
        log_partitions=table.log_partitions,
        columns={c.name: str(c.type) for c in table.columns},
    )


def _parse(text: str, table: Table) -> _Shape:
    try:
        parts = cast("dict[str, object]", json.loads(text))
        return _Shape(
            kind=cast(str, parts["kind"]),
            partition_key=tuple(cast("list[str]", parts["partition_key"])),
            clustering_key=tuple(cast("list[str]", parts["clustering_key"])),
            log_partitions=cast(int, parts["log_partitions"]),
            columns=cast("dict[str, str]", parts["columns"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(
            f"the stored description of {table.full_name} cannot be read: {error!r}; "
            "restore the file from a backup",
            details={"table": table.full_name},
        ) from error


def store_table(transaction: Transaction, table: Table, token_window_us: int) -> StoredTable:
    """Enter a table, or check that what is stored fits it; add the columns that are new.

    Raises:
        SchemaConflict: The message names every difference and what to do.
    """
    connection = transaction.connection
    wanted = _shape_of(table)
    found = connection.one(statements.TABLE_BY_NAME, table.full_name)
    if found is None:
        row = connection.one(
            statements.INSERT_TABLE, table.full_name, wanted.kind, wanted.to_json()
        )
        table_id = cast("tuple[int]", row)[0]
    else:
        table_id = cast(int, found[0])
        stored = _parse(found[1], table)
        _check_fits(table, stored, wanted)
        merged = replace(stored, columns={**stored.columns, **wanted.columns})
        if merged != stored:
            connection.execute(statements.SET_TABLE_SHAPE, merged.to_json(), table_id)
    return StoredTable(
        table=table,
        id=table_id,
        keys=KeyCodec(table),
        rows=RowCodec(table),
        tokens=TokenBook(table_id, table.full_name, token_window_us),
    )


def check_table(connection: Connection, table: Table) -> None:
    """Look whether a table fits what is stored of it, if anything is; change nothing.

    Raises:
        SchemaConflict: The message names every difference and what to do.
    """
    found = connection.one(statements.TABLE_BY_NAME, table.full_name)
    if found is not None:
        _check_fits(table, _parse(found[1], table), _shape_of(table))


def _check_fits(table: Table, stored: _Shape, wanted: _Shape) -> None:
    differences = [
        f"{what} is {_spell(old)} in the file and {_spell(new)} in the description"
        for what, old, new in (
            ("kind", stored.kind, wanted.kind),
            ("partition key", stored.partition_key, wanted.partition_key),
            ("clustering key", stored.clustering_key, wanted.clustering_key),
            ("number of log partitions", stored.log_partitions, wanted.log_partitions),
        )
        if old != new
    ]
    differences += [
        f"column {name} is {stored.columns[name]} in the file and {new} in the description"
        for name, new in wanted.columns.items()
        if stored.columns.get(name, new) != new
    ]
    check_fits(table, differences)


def _spell(value: str | int | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value)
