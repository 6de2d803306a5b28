"""How a table is laid out: its options, its compiled codecs, and its stored description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from taulu.codec import KeyCodec
from taulu.model import Kind, Table
from taulu.spi import merged_shape, parse_shape, shape_of
from taulu_redis.columns import ColumnCodec
from taulu_redis.keys import Spots

BUCKETS = 256
_PLACE = "Redis"
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


def merged(layout: Layout, stored: bytes | None) -> bytes:
    """Return the description to keep, with the columns that are new.

    Raises:
        SchemaConflict: The message names every difference and what to do.
        Corrupt: What is stored is no description.
    """
    table = layout.table
    wanted = shape_of(table, format=1, buckets=layout.spots.buckets, scan=layout.is_scanned)
    if stored is not None:
        wanted = merged_shape(table, parse_shape(stored, table, _PLACE), wanted, _PLACE)
    return wanted.to_json().encode()
