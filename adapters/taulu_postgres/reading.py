"""Reads of rows: by key, by partition, by segment. Each is one statement, so one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import cast

from taulu.codec import stretch_of, timestamp_from_us
from taulu.model import (
    Absent,
    ClusteringRange,
    Corrupt,
    Failed,
    GetRows,
    Key,
    QueryRows,
    Row,
    RowOutcome,
    ScanRows,
    Value,
)
from taulu_postgres import row_statements
from taulu_postgres._driver import Call, SqlRow
from taulu_postgres.columns import expire_us
from taulu_postgres.places import (
    query_position,
    rest_of_query,
    rest_of_scan,
    scan_position,
)
from taulu_postgres.slots import segment_slots
from taulu_postgres.stored import StoredTable

PageOfRows = tuple[tuple[Row, ...], bytes]
"""The rows of a page, and the position behind them; empty at the end."""

NO_ROWS: PageOfRows = ((), b"")


def get_call(stored: StoredTable, operation: GetRows, as_of: str) -> Call:
    """Return the statement that reads rows by key."""
    columns = stored.wanted(operation.columns)
    return row_statements.get(stored, operation.keys, columns, as_of)


def outcomes_of(
    stored: StoredTable, operation: GetRows, found: Iterable[SqlRow], now_us: int
) -> tuple[RowOutcome, ...]:
    """Return what was found per key; a row that cannot be decoded fails alone."""
    columns = stored.wanted(operation.columns)
    outcomes: list[RowOutcome] = [Absent()] * len(operation.keys)
    for place, version, expire, *fields in found:
        ends_us = expire_us(expire)
        if ends_us is not None and ends_us <= now_us:
            continue
        at = cast(int, place) - 1
        try:
            read = stored.columns_of(columns, tuple(fields))
        except Corrupt as error:
            outcomes[at] = Failed(error)
        else:
            held = cast("dict[str, Value]", read)
            outcomes[at] = Row(operation.keys[at], held, version, ends_us)
    return tuple(outcomes)


def can_hold_rows(stored: StoredTable, operation: QueryRows) -> bool:
    """Return whether anything is left of a query's range.

    Raises:
        InvalidPageToken: The page's position is none of this query.
    """
    return not stretch_of(stored.keys, _rest(stored, operation)).is_empty


def query_call(stored: StoredTable, operation: QueryRows, now_us: int, as_of: str) -> Call:
    """Return the statement that reads a page of a range that can hold rows."""
    page = operation.page
    wanted = stored.wanted(operation.columns), page.rows_max + 1, timestamp_from_us(now_us)
    spans = _rest(stored, operation), operation.reverse
    return row_statements.query(stored, operation.partition, spans, wanted, as_of)


def _rest(stored: StoredTable, operation: QueryRows) -> ClusteringRange:
    """Return what is left of a query's range behind the page's position."""
    span = operation.range
    bound = rest_of_query(stored, operation.partition, operation.page.position, span)
    if bound is None:
        return span
    return replace(span, end=bound) if operation.reverse else replace(span, start=bound)


def query_page(stored: StoredTable, operation: QueryRows, found: Sequence[SqlRow]) -> PageOfRows:
    """Return a page of what `query_call` found."""
    columns = stored.wanted(operation.columns)
    split = 2 + len(stored.clustering_types)
    types = [held for _, held in stored.clustering_types]

    def row_of(fields: SqlRow) -> Row:
        values = zip(types, fields[2:split], strict=True)
        key = Key(operation.partition, tuple(held.decode(value) for held, value in values))
        return _row(stored, key, fields[:2], columns, fields[split:])

    return _fill(stored, operation, map(row_of, found), lambda key: query_position(stored, key))


def scan_call(stored: StoredTable, operation: ScanRows, now_us: int, as_of: str) -> Call:
    """Return the statement that reads a page of a segment.

    Raises:
        InvalidPageToken: The page's position is none of this scan.
    """
    slots = segment_slots(operation.segment, operation.segment_count)
    behind = rest_of_scan(stored, slots, operation.page.position)
    rows_max = operation.page.rows_max + 1
    wanted = stored.wanted(operation.columns), rows_max, timestamp_from_us(now_us)
    return row_statements.scan(stored, slots, behind, wanted, as_of)


def scan_page(stored: StoredTable, operation: ScanRows, found: Sequence[SqlRow]) -> PageOfRows:
    """Return a page of what `scan_call` found."""
    columns = stored.wanted(operation.columns)
    split = 2 + len(stored.key_types)

    def row_of(fields: SqlRow) -> Row:
        key = stored.key_of(fields[2:split])
        return _row(stored, key, fields[:2], columns, fields[split:])

    return _fill(stored, operation, map(row_of, found), lambda key: scan_position(stored, key))


def _row(
    stored: StoredTable, key: Key, head: SqlRow, columns: Sequence[str], fields: SqlRow
) -> Row:
    version, expire = head
    read = cast("dict[str, Value]", stored.columns_of(columns, fields))
    return Row(key, read, version, expire_us(expire))


def _fill(
    stored: StoredTable,
    operation: QueryRows | ScanRows,
    found: Iterable[Row],
    position_of: Callable[[Key], bytes],
) -> PageOfRows:
    """Take rows until the page is full, by number or by encoded bytes."""
    rows: list[Row] = []
    bytes_taken = 0
    for row in found:
        partition = stored.keys.partition(row.key.partition)
        clustering = stored.keys.clustering(row.key.clustering)
        bytes_taken += len(partition) + len(clustering) + len(stored.rows.encode(row.columns))
        is_full = len(rows) >= operation.page.rows_max or bytes_taken > operation.page.bytes_max
        if rows and is_full:
            return tuple(rows), position_of(rows[-1].key)
        rows.append(row)
    return tuple(rows), b""
