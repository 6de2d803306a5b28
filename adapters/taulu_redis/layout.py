"""How a table is laid out: its options, its compiled codecs, and its stored description.

Columns are never forgotten: a column that a description no longer has may still be in stored
rows, so its name stays bound to its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from taulu.codec import KeyCodec
from taulu.model import Corrupt, Kind, Table
from taulu.spi import check_fits
from taulu_redis.columns import ColumnCodec
from taulu_redis.keys import Spots

BUCKETS = 256
_BUCKETS_MAX = 16_384
_OPTIONS = {
    Kind.KV: ("buckets", "scan"),
    Kind.WIDE: ("buckets", "scan"),
    Kind.COUNTER: ("buckets",),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A table with all that was compiled for it."""

    table: Table
    spots: Spots
    keys: KeyCodec
    columns: ColumnCodec
    is_scanned: bool
    """Whether an index of its partitions is kept, so that it can be scanned."""


def layout_of(table: Table) -> Layout:
    """Return the layout of a table whose options have been checked."""
    buckets = cast(int, table.options.get("buckets", BUCKETS))
    if table.kind is Kind.LOG:
        buckets = table.log_partitions
    return Layout(
        table, Spots(table, buckets), KeyCodec(table), ColumnCodec(table), is_scanned(table)
    )


def is_scanned(table: Table) -> bool:
    """Return whether a table can be scanned."""
    return table.kind in (Kind.KV, Kind.WIDE) and table.options.get("scan", True) is True


def wrong_options(table: Table) -> list[str]:
    """Return what is wrong with a table's options, one sentence each."""
    known = _OPTIONS.get(table.kind, ())
    troubles = [
        f"it has no option {option!r} for {table.kind.value} tables; "
        + (f"known: {', '.join(known)}" if known else "there is none")
        for option in table.options
        if option not in known
    ]
    buckets = table.options.get("buckets", BUCKETS)
    if type(buckets) is not int or not 1 <= buckets <= _BUCKETS_MAX:
        troubles.append(f"option buckets must be a whole number from 1 to {_BUCKETS_MAX}")
    if type(table.options.get("scan", True)) is not bool:
        troubles.append("option scan must be true or false")
    return troubles


def describe(layout: Layout) -> dict[str, object]:
    """Return what stored data depends on."""
    table = layout.table
    return {
        "format": 1,
        "kind": table.kind.value,
        "partition_key": [f"{c.name} {c.type}" for c in table.partition_key],
        "clustering_key": [
            f"{c.column.name} {c.column.type} {'desc' if c.descending else 'asc'}"
            for c in table.clustering_key
        ],
        "log_partitions": table.log_partitions,
        "buckets": layout.spots.buckets,
        "scan": layout.is_scanned,
        "columns": {c.name: str(c.type) for c in table.columns},
    }


def merged(layout: Layout, stored: bytes | None) -> bytes:
    """Return the description to keep, with the columns that are new.

    Raises:
        SchemaConflict: The message names every difference and what to do.
        Corrupt: What is stored is no description.
    """
    wanted = describe(layout)
    if stored is not None:
        wanted["columns"] = _merge_columns(layout.table, _parse(stored, layout.table), wanted)
    return json.dumps(wanted, sort_keys=True, separators=(",", ":")).encode()


def _parse(stored: bytes, table: Table) -> dict[str, object]:
    try:
        parsed: object = json.loads(stored)
    except ValueError as error:
        raise _unreadable(table) from error
    if not isinstance(parsed, dict):
        raise _unreadable(table)
    return cast("dict[str, object]", parsed)


def _unreadable(table: Table) -> Corrupt:
    return Corrupt(
        f"the stored description of {table.full_name} cannot be read; restore it from a backup",
        details={"table": table.full_name},
    )


def _merge_columns(
    table: Table, stored: Mapping[str, object], wanted: Mapping[str, object]
) -> dict[str, str]:
    old_columns = cast("dict[str, str]", stored.get("columns", {}))
    new_columns = cast("dict[str, str]", wanted["columns"])
    differences = [
        f"{what} is {stored.get(what)} as stored and {wanted[what]} in the description"
        for what in wanted
        if what != "columns" and stored.get(what) != wanted[what]
    ]
    differences += [
        f"column {name} is {old_columns[name]} as stored and {new} in the description"
        for name, new in new_columns.items()
        if old_columns.get(name, new) != new
    ]
    check_fits(table, differences)
    return {**old_columns, **new_columns}
