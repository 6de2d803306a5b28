"""Reads of rows: by key, by partition, by segment. Each runs in one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from taulu.codec import stretch_of
from taulu.model import (
    Absent,
    Corrupt,
    Failed,
    GetRows,
    Page,
    QueryRows,
    Row,
    RowOutcome,
    ScanRows,
)
from taulu_embedded import statements
from taulu_embedded._driver import Connection, SqlRow
from taulu_embedded.places import (
    partition_hash,
    query_position,
    resume_query,
    resume_scan,
    scan_position,
    segment_hashes,
)
from taulu_embedded.shape import StoredTable

PageOfRows = tuple[tuple[Row, ...], bytes]
"""The rows of a page, and the position behind them; empty at the end."""


def get_rows(
    connection: Connection, stored: StoredTable, operation: GetRows, now_us: int
) -> tuple[RowOutcome, ...]:
    """Read rows by key; one that cannot be decoded fails alone."""
    outcomes: list[RowOutcome] = []
    for key in operation.keys:
        partition = stored.keys.partition(key.partition)
        clustering = stored.keys.clustering(key.clustering)
        row_hash = partition_hash(partition)
        found = connection.one(
            statements.GET_ROW, stored.id, row_hash, partition, clustering, now_us
        )
        if found is None:
            outcomes.append(Absent())
            continue
        version, expire_us, body = found
        try:
            columns = stored.rows.decode(body, operation.columns)
        except Corrupt as error:
            outcomes.append(Failed(error))
        else:
            outcomes.append(Row(key, columns, version, expire_us))
    return tuple(outcomes)


def query_rows(
    connection: Connection, stored: StoredTable, operation: QueryRows, now_us: int
) -> PageOfRows:
    """Read one page of a partition, in clustering order or against it."""
    partition = stored.keys.partition(operation.partition)
    stretch = resume_query(
        stored,
        (partition, stretch_of(stored.keys, operation.range)),
        operation.page.position,
        reverse=operation.reverse,
    )
    if stretch.is_empty:
        return (), b""
    row_hash = partition_hash(partition)
    values = (stored.id, row_hash, partition, now_us, stretch.low)
    if stretch.high is None:
        backward, forward = statements.QUERY_FROM_REVERSE, statements.QUERY_FROM
        found = connection.stream(backward if operation.reverse else forward, *values)
    else:
        backward, forward = statements.QUERY_BETWEEN_REVERSE, statements.QUERY_BETWEEN
        found = connection.stream(backward if operation.reverse else forward, *values, stretch.high)
    with closing(found):
        rows = ((row_hash, partition, *fields) for fields in found)
        return _fill_page(stored, operation, rows, lambda row: query_position(row[2]))


def scan_rows(
    connection: Connection, stored: StoredTable, operation: ScanRows, now_us: int
) -> PageOfRows:
    """Read one page of a segment, in order of hash, partition and clustering bytes."""
    hashes = segment_hashes(operation.segment, operation.segment_count)
    behind = resume_scan(stored, hashes, operation.page.position)
    found = connection.stream(statements.SCAN, stored.id, *behind, hashes[1], now_us)
    with closing(found):
        return _fill_page(stored, operation, found, lambda row: scan_position(*row[:3]))


def _fill_page(
    stored: StoredTable,
    operation: QueryRows | ScanRows,
    found: Iterator[SqlRow],
    position_of: Callable[[SqlRow], bytes],
) -> PageOfRows:
    """Take rows of (hash, pk, ck, version, expire, body) until the page is full."""
    page: Page = operation.page
    rows: list[Row] = []
    bytes_taken = 0
    last: SqlRow | None = None
    for fields in found:
        _, partition, clustering, version, expire_us, body = fields
        columns = stored.rows.decode(body, operation.columns)
        # The page's limit counts the columns that are returned, not all that are stored.
        size = len(stored.rows.encode(columns)) if operation.columns else len(body)
        bytes_taken += len(partition) + len(clustering) + size
        is_full = len(rows) >= page.rows_max or bytes_taken > page.bytes_max
        if last is not None and is_full:
            return tuple(rows), position_of(last)
        rows.append(Row(stored.keys.key(partition, clustering), columns, version, expire_us))
        last = fields
    return tuple(rows), b""
