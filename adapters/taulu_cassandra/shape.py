"""How a table was described when it was made, in the comment of its table in Cassandra.

The comment stands beside the native types that Cassandra knows: a timestamp and an int64 are both
`bigint`, and only the comment tells them apart.
"""

from __future__ import annotations

from taulu.model import SchemaConflict, Table
from taulu.spi import Shape, parse_shape, shape_of
from taulu_cassandra.layout import Layout

PLACE = "Cassandra"
_MARK = "Taulu table "
_WAYS = {True: "by Paxos", False: "plainly"}


def wanted_shape(layout: Layout) -> Shape:
    """Return the shape that a description asks for.

    How a table is written is part of it: writes by Paxos and plain ones must not meet on one row.
    """
    return shape_of(layout.table, written=_WAYS[layout.is_serial])


def to_comment(shape: Shape) -> str:
    """Spell a shape as a table's comment."""
    return _MARK + shape.to_json()


def parse_comment(comment: str, table: Table) -> Shape:
    """Return the shape that stands in a table's comment.

    Raises:
        SchemaConflict: The table was not made by Taulu.
        Corrupt: The comment was changed.
    """
    if not comment.startswith(_MARK):
        raise SchemaConflict(
            f"table {table.full_name} is in Cassandra already and was not made by Taulu; give the "
            "table another name",
            details={"table": table.full_name},
        )
    return parse_shape(comment.removeprefix(_MARK), table, PLACE)
