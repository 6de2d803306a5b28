"""Every CQL statement on data, as text. Names are known when a table is; values are bound.

The statements of one table are few: the shapes of ranges are bounded by the clustering columns,
and each text is prepared once.
"""

from __future__ import annotations

from collections.abc import Iterable

from taulu_cassandra._driver import CqlValue
from taulu_cassandra.cql_types import lowest
from taulu_cassandra.definitions import FINGERPRINT, NONCE, RESULT
from taulu_cassandra.layout import (
    AMOUNT,
    BUCKET,
    EXPIRE,
    HEADS_SUFFIX,
    HOLD,
    LAST,
    NEXT,
    OFFSET,
    PARTITION,
    PENDING,
    ROWS,
    SEQ,
    TIME,
    TOKENS_SUFFIX,
    VALUE,
    VERSION,
    Field,
    Layout,
    quoted,
)
from taulu_cassandra.slices import Slice

_LOW_SIGN = {(False, True): ">=", (False, False): ">", (True, True): "<=", (True, False): "<"}
"""By whether the column runs down and whether the edge counts; the high end has the mirror."""
_MIRROR = {">": "<", "<": ">", ">=": "<=", "<=": ">="}


def _list(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _names(fields: Iterable[Field]) -> list[str]:
    return [field.name for field in fields]


def _equal(names: Iterable[str], joint: str = " AND ") -> str:
    return joint.join(f"{quoted(name)} = ?" for name in names)


def _row_names(layout: Layout) -> list[str]:
    """Return what a read of rows returns of each: clustering, columns, version and expiry."""
    return [*_names(layout.clustering), *_names(layout.columns), VERSION, EXPIRE]


def _insert(name: str, columns: list[str], using: str) -> str:
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {name} ({_list(columns)}) VALUES ({marks}) USING {using}"


def select_row(layout: Layout) -> str:
    """Read one row by its partition; where Paxos keeps the table, with the head beside it."""
    columns = _row_names(layout) + ([SEQ, LAST] if layout.is_serial else [])
    return f"SELECT {_list(columns)} FROM {layout.name} WHERE {_equal(_names(layout.partition))}"


def select_rows(layout: Layout) -> str:
    """Read rows of one partition by a list of their clustering values."""
    key = _list(_names(layout.clustering))
    key = f"({key})" if len(layout.clustering) > 1 else key
    partition = _equal(_names(layout.partition))
    return f"SELECT {_list(_row_names(layout))} FROM {layout.name} WHERE {partition} AND {key} IN ?"


def select_slice(layout: Layout, wanted: Slice, *, reverse: bool) -> str:
    """Read rows of a slice in declared order, or against it."""
    where = _equal(_names(layout.partition)) + _slice_where(layout, wanted)
    order = ""
    if reverse:
        turned = (
            f"{quoted(f.name)} {'ASC' if f.descending else 'DESC'}" for f in layout.clustering
        )
        order = f" ORDER BY {', '.join(turned)}"
    return f"SELECT {_list(_row_names(layout))} FROM {layout.name} WHERE {where}{order} LIMIT ?"


def select_scan(layout: Layout) -> str:
    """Read rows of all partitions between two hashes."""
    token = f"token({_list(_names(layout.partition))})"
    columns = _list([*_names(layout.partition), *_row_names(layout)])
    return (
        f"SELECT {token}, {columns} FROM {layout.name} WHERE {token} >= ? AND {token} <= ? LIMIT ?"
    )


def select_live(layout: Layout) -> str:
    """Read the keys of the rows of a partition, to count those that live."""
    columns = [*_names(layout.clustering), VERSION, EXPIRE]
    partition = _equal(_names(layout.partition))
    return f"SELECT {_list(columns)} FROM {layout.name} WHERE {partition} LIMIT ?"


def put_plain(layout: Layout) -> str:
    """Write a row at a timestamp: whole, or without the columns whose values are not set."""
    columns = [*_names(layout.partition), *_row_names(layout)]
    return _insert(layout.name, columns, "TIMESTAMP ? AND TTL ?")


def delete_plain(layout: Layout) -> str:
    """Delete a row at a timestamp."""
    key = _equal(_names((*layout.partition, *layout.clustering)))
    return f"DELETE FROM {layout.name} USING TIMESTAMP ? WHERE {key}"


def delete_slice_plain(layout: Layout, wanted: Slice) -> str:
    """Delete the rows of a slice at a timestamp."""
    where = _equal(_names(layout.partition)) + _slice_where(layout, wanted)
    return f"DELETE FROM {layout.name} USING TIMESTAMP ? WHERE {where}"


def put_serial(layout: Layout) -> str:
    """Write a whole row inside a conditional batch."""
    return _insert(layout.name, [*_names(layout.partition), *_row_names(layout)], "TTL ?")


def delete_serial(layout: Layout) -> str:
    """Delete a row inside a conditional batch. A row of its own partition keeps its head."""
    if not layout.clustering:
        columns = _list([*_names(layout.columns), VERSION, EXPIRE])
        return f"DELETE {columns} FROM {layout.name} WHERE {_equal(_names(layout.partition))}"
    key = _equal(_names((*layout.partition, *layout.clustering)))
    return f"DELETE FROM {layout.name} WHERE {key}"


def delete_slice_serial(layout: Layout, wanted: Slice) -> str:
    """Delete the rows of a slice inside a conditional batch; the head stays."""
    where = _equal(_names(layout.partition)) + _slice_where(layout, wanted)
    if not wanted.equal and wanted.low is None and wanted.high is None:
        # With no clustering column named, Cassandra would delete the static ones too.
        where += f" AND {quoted(layout.clustering[0].name)} >= ?"
    return f"DELETE FROM {layout.name} WHERE {where}"


def slice_values(layout: Layout, wanted: Slice, *, floor: bool = False) -> tuple[CqlValue, ...]:
    """Return the values of a slice's columns in the order of its statement.

    Args:
        layout: The table.
        wanted: The slice.
        floor: Whether a slice without any end begins at the lowest value that there is.
    """
    values = list(layout.clustering_values(wanted.equal))
    edges = [edge for edge in (wanted.low, wanted.high) if edge is not None]
    column = layout.clustering[len(wanted.equal)] if edges else None
    values += [column.encode(edge.value) for edge in edges if column is not None]
    if floor and not values:
        values.append(lowest(layout.clustering[0].native))
    return tuple(values)


def _slice_where(layout: Layout, wanted: Slice) -> str:
    parts = [f"{quoted(f.name)} = ?" for f in layout.clustering[: len(wanted.equal)]]
    for edge, is_low in ((wanted.low, True), (wanted.high, False)):
        if edge is None:
            continue
        column = layout.clustering[len(wanted.equal)]
        sign = _LOW_SIGN[column.descending, edge.inclusive]
        parts.append(f"{quoted(column.name)} {sign if is_low else _MIRROR[sign]} ?")
    return "".join(f" AND {part}" for part in parts)


def select_head(layout: Layout) -> str:
    """Read the head of a wide partition."""
    partition = _equal(_names(layout.partition))
    return f"SELECT {_list([SEQ, LAST, ROWS])} FROM {layout.name} WHERE {partition} LIMIT 1"


def set_row_head(layout: Layout) -> str:
    """Move the head on, if nobody else has."""
    rows = f", {quoted(ROWS)} = ?" if layout.clustering else ""
    return (
        f"UPDATE {layout.name} USING TTL ? SET {quoted(SEQ)} = ?, {quoted(LAST)} = ?{rows} "
        f"WHERE {_equal(_names(layout.partition))} IF {quoted(SEQ)} = ?"
    )


def _token_columns(partition: Iterable[str]) -> list[str]:
    return [*partition, NONCE]


def select_token(layout: Layout, partition: Iterable[str]) -> str:
    """Read what became of a token."""
    return (
        f"SELECT {_list([FINGERPRINT, RESULT])} FROM {layout.companion(TOKENS_SUFFIX)} "
        f"WHERE {_equal(_token_columns(partition))}"
    )


def put_token(layout: Layout, partition: Iterable[str]) -> str:
    """Keep a token for its window, at the timestamp of its step."""
    columns = [*_token_columns(partition), FINGERPRINT, RESULT]
    return _insert(layout.companion(TOKENS_SUFFIX), columns, "TIMESTAMP ? AND TTL ?")


def _counter_key(layout: Layout) -> list[str]:
    return _names((*layout.partition, *layout.clustering))


def select_counter(layout: Layout) -> str:
    """Read a counter with its holds."""
    columns = _list([HOLD, AMOUNT, EXPIRE, VALUE, SEQ, LAST])
    return f"SELECT {columns} FROM {layout.name} WHERE {_equal(_counter_key(layout))}"


def set_counter(layout: Layout) -> str:
    """Set a counter's value, if nobody else has changed it."""
    columns = _equal([VALUE, SEQ, LAST], ", ")
    key = _equal(_counter_key(layout))
    return f"UPDATE {layout.name} SET {columns} WHERE {key} IF {quoted(SEQ)} = ?"


def put_hold(layout: Layout) -> str:
    """Set a hold up; Cassandra itself drops it some time after it ended."""
    return _insert(layout.name, [*_counter_key(layout), HOLD, AMOUNT, EXPIRE], "TTL ?")


def delete_hold(layout: Layout) -> str:
    """End a hold."""
    return f"DELETE FROM {layout.name} WHERE {_equal([*_counter_key(layout), HOLD])}"


def select_log_head(layout: Layout) -> str:
    """Read where a log partition ends."""
    columns = _list([NEXT, TIME, SEQ, LAST, PENDING])
    name = layout.companion(HEADS_SUFFIX)
    return f"SELECT {columns} FROM {name} WHERE {quoted(PARTITION)} = ?"


def set_log_head(layout: Layout) -> str:
    """Move the end of a log partition, if nobody else has."""
    columns = _equal([NEXT, TIME, SEQ, LAST, PENDING], ", ")
    name = layout.companion(HEADS_SUFFIX)
    return f"UPDATE {name} SET {columns} WHERE {quoted(PARTITION)} = ? IF {quoted(SEQ)} = ?"


def _record_values(layout: Layout) -> list[str]:
    return [TIME, *_names(layout.partition), *_names(layout.columns)]


def put_record(layout: Layout) -> str:
    """Write a record at its place."""
    columns = [PARTITION, BUCKET, OFFSET, *_record_values(layout)]
    return _insert(layout.name, columns, "TIMESTAMP ? AND TTL ?")


def select_records(layout: Layout) -> str:
    """Read records of one bucket from an offset on."""
    columns = _list([OFFSET, *_record_values(layout)])
    place = _equal([PARTITION, BUCKET])
    return f"SELECT {columns} FROM {layout.name} WHERE {place} AND {quoted(OFFSET)} >= ? LIMIT ?"


def select_record_time(layout: Layout) -> str:
    """Read when a record was appended."""
    place = _equal([PARTITION, BUCKET, OFFSET])
    return f"SELECT {quoted(TIME)} FROM {layout.name} WHERE {place}"
