"""How a table was described when it was made, and whether a new description fits.

The description stands in the table's comment, beside the native types that Cassandra knows: a
timestamp and an int64 are both `bigint`, and only the comment tells them apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from taulu.model import SchemaConflict, Table
from taulu.spi import check_fits
from taulu_cassandra.layout import Layout

_MARK = "Taulu table "
_WAYS = {True: "by Paxos", False: "plainly"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What must not change once a table holds data."""

    kind: str
    way: str
    """How writes are made: by Paxos or plainly; the two must not meet on one row."""
    partition_key: tuple[str, ...]
    """`name type`, in order."""
    clustering_key: tuple[str, ...]
    """`name type asc|desc`, in order."""
    log_partitions: int
    columns: Mapping[str, str]

    def to_comment(self) -> str:
        """Spell the shape as a table's comment."""
        parts = {
            "kind": self.kind,
            "written": self.way,
            "partition_key": self.partition_key,
            "clustering_key": self.clustering_key,
            "log_partitions": self.log_partitions,
            "columns": dict(sorted(self.columns.items())),
        }
        return _MARK + json.dumps(parts)


def shape_of(layout: Layout) -> Shape:
    """Return the shape that a description asks for."""
    table = layout.table
    return Shape(
        kind=table.kind.value,
        way=_WAYS[layout.is_serial],
        partition_key=tuple(f"{c.name} {c.type}" for c in table.partition_key),
        clustering_key=tuple(
            f"{c.column.name} {c.column.type} {'desc' if c.descending else 'asc'}"
            for c in table.clustering_key
        ),
        log_partitions=table.log_partitions,
        columns={c.name: str(c.type) for c in table.columns},
    )


def parse_shape(comment: str, table: Table) -> Shape:
    """Return the shape that stands in a table's comment.

    Raises:
        SchemaConflict: The table was not made by Taulu.
    """
    try:
        if not comment.startswith(_MARK):
            raise ValueError("the comment is another program's")
        parts = cast("dict[str, object]", json.loads(comment.removeprefix(_MARK)))
        return Shape(
            kind=cast(str, parts["kind"]),
            way=cast(str, parts["written"]),
            partition_key=tuple(cast("list[str]", parts["partition_key"])),
            clustering_key=tuple(cast("list[str]", parts["clustering_key"])),
            log_partitions=cast(int, parts["log_partitions"]),
            columns=cast("dict[str, str]", parts["columns"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaConflict(
            f"table {table.full_name} is in Cassandra already and was not made by Taulu "
            f"({error}); give the table another name",
            details={"table": table.full_name},
        ) from error


def merged_shape(table: Table, stored: Shape, wanted: Shape) -> Shape:
    """Return the stored shape with the columns that are new; columns are never forgotten.

    Raises:
        SchemaConflict: The two do not fit; the message names every difference.
    """
    differences = [
        f"{what} is {_spell(old)} in Cassandra and {_spell(new)} in the description"
        for what, old, new in (
            ("kind", stored.kind, wanted.kind),
            ("way of writing", stored.way, wanted.way),
            ("partition key", stored.partition_key, wanted.partition_key),
            ("clustering key", stored.clustering_key, wanted.clustering_key),
            ("number of log partitions", stored.log_partitions, wanted.log_partitions),
        )
        if old != new
    ]
    differences += [
        f"column {name} is {stored.columns[name]} in Cassandra and {new} in the description"
        for name, new in wanted.columns.items()
        if stored.columns.get(name, new) != new
    ]
    check_fits(table, differences)
    return replace(stored, columns={**stored.columns, **wanted.columns})


def _spell(value: str | int | tuple[str, ...]) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)
