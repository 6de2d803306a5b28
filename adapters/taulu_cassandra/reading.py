"""Reads of rows: by key, by partition, by segment."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from taulu.model import (
    Absent,
    ClusteringRange,
    Corrupt,
    Failed,
    GetRows,
    Key,
    Page,
    Partition,
    QueryRows,
    Row,
    RowOutcome,
    ScanRows,
    TauluError,
)
from taulu_cassandra import statements
from taulu_cassandra._driver import CqlRow, Native
from taulu_cassandra.calls import Call
from taulu_cassandra.positions import (
    query_position,
    resume_query,
    resume_scan,
    scan_position,
    segment_tokens,
)
from taulu_cassandra.slices import Slice, behind, is_empty, slices_of
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.together import together

CHUNK_ROWS = 100
"""How many rows one request returns at most; a page may take several."""
_LIST_ROWS_MAX = 50
"""How many rows of one partition are read by their keys in one request."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one operation reads."""

    stored: StoredTable
    level: Native
    call: Call
    now_us: int
    chunk_rows: int = CHUNK_ROWS
    """How many rows one request returns at most."""

    def for_page(self, page: Page) -> Reading:
        """Return how to read a page: no more than it takes, and one to see whether it ends."""
        return replace(self, chunk_rows=min(CHUNK_ROWS, page.rows_max + 1))

    def live(self, row: Row | None) -> Row | None:
        """Return a row that has not expired."""
        if row is None or (row.expire_us is not None and row.expire_us <= self.now_us):
            return None
        return row


async def get_rows(reading: Reading, operation: GetRows) -> tuple[RowOutcome, ...]:
    """Read rows by key: one request per partition, all of them at once."""
    by_partition: dict[Partition, list[Key]] = {}
    for key in dict.fromkeys(operation.keys):
        by_partition.setdefault(key.partition, []).append(key)
    parts = await together(
        _read_or_fail(reading, partition, keys) for partition, keys in by_partition.items()
    )
    found = {key: outcome for part in parts for key, outcome in part.items()}
    return tuple(_select(found[key], operation.columns) for key in operation.keys)


async def _read_or_fail(
    reading: Reading, partition: Partition, keys: Sequence[Key]
) -> dict[Key, RowOutcome]:
    """Read rows of one partition; a partition that cannot be read fails alone."""
    try:
        return await read_keys(reading, partition, keys)
    except TauluError as error:
        return {key: Failed(error) for key in keys}


async def read_keys(
    reading: Reading, partition: Partition, keys: Sequence[Key]
) -> dict[Key, RowOutcome]:
    """Read rows of one partition, all that fit into one request at one moment."""
    layout = reading.stored.layout
    found: dict[Key, RowOutcome] = {key: Absent() for key in keys}
    values = layout.partition_values(partition)
    for at in range(0, len(keys), _LIST_ROWS_MAX):
        if layout.clustering:
            wanted = [_listed(reading, key) for key in keys[at : at + _LIST_ROWS_MAX]]
            bound = await reading.stored.bind(statements.select_rows(layout), *values, wanted)
        else:
            bound = await reading.stored.bind(statements.select_row(layout), *values)
        for fields in await reading.stored.calls.read(bound, reading.level, reading.call):
            _take(reading, partition, fields, found)
    return found


def _listed(reading: Reading, key: Key) -> object:
    values: tuple[object, ...] = reading.stored.layout.clustering_values(key.clustering)
    return values[0] if len(values) == 1 else values


def _take(
    reading: Reading, partition: Partition, fields: CqlRow, found: dict[Key, RowOutcome]
) -> None:
    """Enter a row that was read; one that cannot be decoded fails alone."""
    layout = reading.stored.layout
    own = fields if layout.clustering or not layout.is_serial else fields[:-2]
    try:
        row = reading.live(layout.read_row(partition, own))
    except Corrupt as error:
        clustering = layout.read_clustering(own[: len(layout.clustering)])
        found[Key(partition, clustering)] = Failed(error)
        return
    if row is not None:
        found[row.key] = row


def _select(outcome: RowOutcome, columns: tuple[str, ...]) -> RowOutcome:
    if not columns or not isinstance(outcome, Row):
        return outcome
    kept = {name: value for name, value in outcome.columns.items() if name in columns}
    return Row(outcome.key, kept, outcome.version, outcome.expire_us)


async def query_rows(reading: Reading, operation: QueryRows) -> tuple[tuple[Row, ...], bytes]:
    """Read one page of a partition, in clustering order or against it."""
    layout = reading.stored.layout
    stretch = operation.range
    if operation.page.position:
        last = resume_query(layout, operation.partition, operation.page.position)
        stretch = behind(stretch, last, reverse=operation.reverse)
    reading = reading.for_page(operation.page)
    filling = _Filling(reading, operation.page, operation.columns)
    rows = _partition_rows(reading, operation.partition, stretch, reverse=operation.reverse)
    async with aclosing(rows):
        async for row in rows:
            if not filling.take(row):
                break
    position = b""
    if filling.is_full:
        position = query_position(layout, filling.rows[-1].key.clustering)
    return tuple(filling.rows), position


async def _partition_rows(
    reading: Reading, partition: Partition, stretch: ClusteringRange, *, reverse: bool
) -> AsyncGenerator[Row]:
    """Yield the live rows of a range, in as many requests of bounded size as it takes."""
    layout = reading.stored.layout
    rest: ClusteringRange | None = stretch
    while rest is not None and not is_empty(layout.keys, rest):
        slices = slices_of(rest)
        stretch, rest = rest, None
        for wanted in reversed(slices) if reverse else slices:
            found = await _slice_rows(reading, partition, wanted, reverse=reverse)
            for fields in found:
                row = reading.live(layout.read_row(partition, fields))
                if row is not None:
                    yield row
            if len(found) == reading.chunk_rows:
                last = layout.read_clustering(found[-1][: len(layout.clustering)])
                rest = behind(stretch, last, reverse=reverse)
                break


async def _slice_rows(
    reading: Reading, partition: Partition, wanted: Slice, *, reverse: bool
) -> list[CqlRow]:
    """Return the first rows of a slice; a partition that has only a head has none."""
    layout = reading.stored.layout
    text = statements.select_slice(layout, wanted, reverse=reverse)
    values = (*layout.partition_values(partition), *statements.slice_values(layout, wanted))
    bound = await reading.stored.bind(text, *values, reading.chunk_rows)
    found = await reading.stored.calls.read(bound, reading.level, reading.call)
    return [fields for fields in found if fields[0] is not None]


async def scan_rows(reading: Reading, operation: ScanRows) -> tuple[tuple[Row, ...], bytes]:
    """Read one page of a segment, in order of hash and clustering."""
    layout = reading.stored.layout
    tokens = segment_tokens(operation.segment, operation.segment_count)
    reading = reading.for_page(operation.page)
    filling = _Filling(reading, operation.page, operation.columns)
    last_token = tokens[0]
    rows = _segment_rows(reading, operation, tokens)
    async with aclosing(rows):
        async for token, row in rows:
            if not filling.take(row):
                break
            last_token = token
    if not filling.is_full:
        return tuple(filling.rows), b""
    return tuple(filling.rows), scan_position(layout, last_token, filling.rows[-1].key)


async def _segment_rows(
    reading: Reading, operation: ScanRows, tokens: tuple[int, int]
) -> AsyncGenerator[tuple[int, Row]]:
    """Yield the live rows of a segment behind a position, with the hashes of their partitions."""
    layout = reading.stored.layout
    first, last = tokens
    if operation.page.position:
        token, key = resume_scan(layout, operation.page.position, tokens)
        async for row in _rest_of_partition(reading, key):
            yield token, row
        first = token + 1
    while first <= last:
        values = (first, last, reading.chunk_rows)
        bound = await reading.stored.bind(statements.select_scan(layout), *values)
        found = await reading.stored.calls.read(bound, reading.level, reading.call)
        for fields in found:
            row = _scanned(reading, fields)
            if row is not None:
                yield fields[0], row
        if len(found) < reading.chunk_rows:
            return
        async for row in _rest_of_partition(reading, _key_of(reading, found[-1])):
            yield found[-1][0], row
        first = found[-1][0] + 1


def _scanned(reading: Reading, fields: CqlRow) -> Row | None:
    layout = reading.stored.layout
    width = 1 + len(layout.partition)
    if layout.clustering and fields[width] is None:
        return None
    return reading.live(layout.read_row(layout.read_partition(fields[1:width]), fields[width:]))


def _key_of(reading: Reading, fields: CqlRow) -> Key:
    layout = reading.stored.layout
    width = 1 + len(layout.partition)
    partition = layout.read_partition(fields[1:width])
    own = fields[width : width + len(layout.clustering)]
    if layout.clustering and own[0] is None:
        return Key(partition)
    return Key(partition, layout.read_clustering(own))


async def _rest_of_partition(reading: Reading, key: Key) -> AsyncGenerator[Row]:
    """Yield the rows of a wide partition behind one of them; a kv partition has no more."""
    if not key.clustering:
        return
    rest = behind(ClusteringRange(), key.clustering, reverse=False)
    async for row in _partition_rows(reading, key.partition, rest, reverse=False):
        yield row


class _Filling:
    """A page as it fills: rows up to its limits, and whether one more was there."""

    def __init__(self, reading: Reading, page: Page, columns: tuple[str, ...]) -> None:
        self.rows: list[Row] = []
        self.is_full = False
        self._layout = reading.stored.layout
        self._page = page
        self._columns = columns
        self._bytes_taken = 0

    def take(self, row: Row) -> bool:
        """Add a row; return False when the page was full without it."""
        shown = _select(row, self._columns)
        assert isinstance(shown, Row)  # noqa: S101 - a part of a row is a row
        self._bytes_taken += len(self._layout.keys.partition(row.key.partition))
        self._bytes_taken += len(self._layout.keys.clustering(row.key.clustering))
        self._bytes_taken += len(self._layout.rows.encode(shown.columns))
        is_over = self._bytes_taken > self._page.bytes_max
        if self.rows and (len(self.rows) >= self._page.rows_max or is_over):
            self.is_full = True
            return False
        self.rows.append(shown)
        return True
