"""Statements on the rows of kv and wide tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from taulu.model import ClusteringRange, Key, Partition
from taulu_postgres._driver import Call, Many
from taulu_postgres.boxes import Box, boxes_of
from taulu_postgres.columns import SqlType
from taulu_postgres.stored import StoredTable, Values

UpsertRow = tuple[Key, int, datetime | None, dict[str, object]]
"""Key, version, expiry and all columns of a row."""


def get(stored: StoredTable, keys: Sequence[Key], columns: Sequence[str], as_of: str = "") -> Call:
    """Read rows by key, expired ones too. Answers `(place from 1, version, expire, *columns)`."""
    values = Values()
    known = unnested(stored, keys, values)
    selected = ["k._place", "t._version", "t._expire", *stored.selected(columns, "t.")]
    text = f"SELECT {', '.join(selected)} FROM {known} JOIN {stored.name} AS t ON {joined(stored)}"
    return Call(f"{text} {as_of}".rstrip(), tuple(values.given))


def unnested(stored: StoredTable, keys: Sequence[Key], values: Values) -> str:
    """Return keys as the table `k`, with the place of each, from 1, as `_place`."""
    rows = [stored.key_values(key) for key in keys]
    arrays = [
        values.add([row[at] for row in rows], f"{held.name}[]")
        for at, (_, held) in enumerate(stored.key_types)
    ]
    names = ", ".join(name for name, _ in stored.key_types)
    return f"unnest({', '.join(arrays)}) WITH ORDINALITY AS k({names}, _place)"


def joined(stored: StoredTable) -> str:
    """Return the condition that a row of `t` has the key of `k`."""
    return " AND ".join(f"t.{name} = k.{name}" for name, _ in stored.key_types)


def query(
    stored: StoredTable,
    partition: Partition,
    spans: tuple[ClusteringRange, bool],
    page: tuple[Sequence[str], int, datetime],
    as_of: str = "",
) -> Call:
    """Read live rows of a range, in declared order or against it.

    It answers `(version, expire, *clustering, *columns)`. Each box of the range is a stretch
    of the index, read in order and no further than the limit.

    Args:
        stored: The table.
        partition: The partition.
        spans: The range, and whether to read it backwards.
        page: The columns, how many rows at most, and the time that judges expiry.
        as_of: See `Dialect.stale_read`.
    """
    span, is_reverse = spans
    columns, rows_max, now = page
    values = Values()
    own = _of_partition(stored, partition, values)
    live = _live(values, now)
    limit = values.add(rows_max, "bigint")
    keys = [name for name, _ in stored.clustering_types]
    selected = ", ".join(["_version", "_expire", *keys, *stored.selected(columns)])
    order = ", ".join(_ordered(stored, is_reverse=is_reverse))
    boxes = boxes_of(span)
    inner = as_of if len(boxes) == 1 else ""
    parts = [
        f"SELECT {selected} FROM {stored.name} {inner} WHERE {own}{_inside(stored, box, values)}"
        f" AND {live} ORDER BY {order} LIMIT {limit}"
        for box in boxes
    ]
    if len(parts) == 1:
        return Call(parts[0], tuple(values.given))
    together = " UNION ALL ".join(f"({part})" for part in parts)
    text = f"SELECT * FROM ({together}) AS boxes {as_of} ORDER BY {order} LIMIT {limit}"
    return Call(text, tuple(values.given))


def scan(
    stored: StoredTable,
    slots: tuple[int, int],
    behind: tuple[int, Key] | None,
    page: tuple[Sequence[str], int, datetime],
    as_of: str = "",
) -> Call:
    """Read live rows of a segment by slot and key. Answers `(version, expire, *key, *columns)`."""
    columns, rows_max, now = page
    values = Values()
    names = [name for name, _ in stored.key_types]
    order = ", ".join(["_slot", *names])
    selected = ", ".join(["_version", "_expire", *names, *stored.selected(columns)])
    first = values.add(slots[0], "smallint")
    begin = f"_slot >= {first}"
    if behind is not None:
        slot, key = behind
        place = [values.add(slot, "smallint"), *_key_values(stored, key, values)]
        begin = f"({order}) > ({', '.join(place)})"
    last = values.add(slots[1], "smallint")
    text = (
        f"SELECT {selected} FROM {stored.name} {as_of} WHERE {begin} AND _slot <= {last} "
        f"AND {_live(values, now)} ORDER BY {order} LIMIT {values.add(rows_max, 'bigint')}"
    )
    return Call(text, tuple(values.given))


def count(stored: StoredTable, partition: Partition, now: datetime) -> Call:
    """Count the live rows of a partition."""
    values = Values()
    own = _of_partition(stored, partition, values)
    text = f"SELECT count(*) FROM {stored.name} WHERE {own} AND {_live(values, now)}"
    return Call(text, tuple(values.given))


def highest(stored: StoredTable, partition: Partition, span: ClusteringRange) -> Call:
    """Return the highest version of a range; null when it has no rows."""
    values = Values()
    where = _in_range(stored, partition, span, values)
    return Call(f"SELECT max(_version) FROM {stored.name} WHERE {where}", tuple(values.given))


def keys_in(stored: StoredTable, partition: Partition, span: ClusteringRange) -> Call:
    """Read the keys of a range, of expired rows too. Answers `(version, expire, *key)`."""
    values = Values()
    where = _in_range(stored, partition, span, values)
    names = ", ".join(name for name, _ in stored.key_types)
    text = f"SELECT _version, _expire, {names} FROM {stored.name} WHERE {where}"
    return Call(text, tuple(values.given))


def delete_range(stored: StoredTable, partition: Partition, span: ClusteringRange) -> list[Call]:
    """Remove the rows of a range, one statement per box."""
    calls: list[Call] = []
    for box in boxes_of(span):
        values = Values()
        own = _of_partition(stored, partition, values)
        where = own + _inside(stored, box, values)
        calls.append(Call(f"DELETE FROM {stored.name} WHERE {where}", tuple(values.given)))
    return calls


def delete(stored: StoredTable, keys: Sequence[Key]) -> Call:
    """Remove rows by key."""
    values = Values()
    known = unnested(stored, keys, values)
    text = f"DELETE FROM {stored.name} AS t USING {known} WHERE {joined(stored)}"
    return Call(text, tuple(values.given))


def upsert(stored: StoredTable, rows: Sequence[UpsertRow], *, is_whole: bool) -> Many:
    """Write rows with all their columns.

    Args:
        stored: The table.
        rows: What to write.
        is_whole: Whether to clear columns that the table has and the description has not; an
            update keeps them, since a newer gateway may have written them.
    """
    typed = [
        *stored.key_types,
        ("_slot", SqlType("smallint", int, int)),
        ("_version", SqlType("bigint", int, int)),
        ("_expire", SqlType("timestamptz", int, int)),
        *stored.column_types.values(),
    ]
    names = [name for name, _ in typed]
    marks = [f"${at}::{held.name}" for at, (_, held) in enumerate(typed, 1)]
    changed = [name for name in names if name not in {key for key, _ in stored.key_types}]
    sets = [f"{name} = excluded.{name}" for name in changed if name != "_slot"]
    if is_whole:
        sets += [f"{name} = NULL" for name in stored.forgotten]
    keys = ", ".join(name for name, _ in stored.key_types)
    text = (
        f"INSERT INTO {stored.name} ({', '.join(names)}) VALUES ({', '.join(marks)}) "
        f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(sets)}"
    )
    return Many(text, [_upsert_values(stored, row) for row in rows])


def _upsert_values(stored: StoredTable, row: UpsertRow) -> tuple[object, ...]:
    key, version, expire, columns = row
    place = [*stored.key_values(key), stored.slot(key.partition), version, expire]
    return (*place, *stored.column_values(columns))


def _key_values(stored: StoredTable, key: Key, values: Values) -> Iterator[str]:
    given = zip(stored.key_types, stored.key_values(key), strict=True)
    return (values.add(value, held.name) for (_, held), value in given)


def _of_partition(stored: StoredTable, partition: Partition, values: Values) -> str:
    return " AND ".join(
        f"{name} = {values.add(held.encode(value), held.name)}"
        for (name, held), value in zip(stored.partition_types, partition, strict=True)
    )


def _live(values: Values, now: datetime) -> str:
    return f"(_expire IS NULL OR _expire > {values.add(now, 'timestamptz')})"


def _in_range(
    stored: StoredTable, partition: Partition, span: ClusteringRange, values: Values
) -> str:
    own = _of_partition(stored, partition, values)
    boxes = [f"(true{_inside(stored, box, values)})" for box in boxes_of(span)]
    return f"{own} AND ({' OR '.join(boxes)})"


def _inside(stored: StoredTable, box: Box, values: Values) -> str:
    """Return the condition that a row lies in a box, each part with `AND` before it."""
    parts: list[str] = []
    for (name, held), value in zip(stored.clustering_types, box.prefix, strict=False):
        parts.append(f" AND {name} = {values.add(held.encode(value), held.name)}")
    if box.low is None and box.high is None:
        return "".join(parts)
    at = len(box.prefix)
    name, held = stored.clustering_types[at]
    descends = stored.table.clustering_key[at].descending
    for edge, sign in ((box.low, "<" if descends else ">"), (box.high, ">" if descends else "<")):
        if edge is not None:
            mark = values.add(held.encode(edge.value), held.name)
            parts.append(f" AND {name} {sign}{'=' if edge.is_inside else ''} {mark}")
    return "".join(parts)


def _ordered(stored: StoredTable, *, is_reverse: bool) -> list[str]:
    declared = zip(stored.clustering_types, stored.table.clustering_key, strict=True)
    return [
        name + (" DESC" if column.descending != is_reverse else "")
        for (name, _), column in declared
    ] or ["_version"]
