"""Cutting an ordered result into pages, and finding the place again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, cast
from zlib import crc32

from taulu.codec import KeyCodec, RowCodec
from taulu.model import (
    Corrupt,
    InvalidPageToken,
    Key,
    Page,
    QueryRows,
    Row,
    ScanRows,
    Table,
)
from taulu_memory.order import compare, is_inside, sort_key
from taulu_memory.rows import select


@dataclass(frozen=True, slots=True)
class Pager:
    """Orders the rows of one table and cuts pages."""

    table: Table
    keys: KeyCodec
    rows: RowCodec

    def query(self, live: Sequence[Row], operation: QueryRows) -> tuple[tuple[Row, ...], bytes]:
        """Return a page of a partition and the position behind it."""
        after = self._key_at(operation.page.position)
        sign = -1 if operation.reverse else 1
        wanted = [
            row
            for row in live
            if row.key.partition == operation.partition
            and is_inside(self.table, row.key.clustering, operation.range)
            and (
                after is None
                or sign * compare(self.table, row.key.clustering, after.clustering) > 0
            )
        ]
        by_clustering = sort_key(self.table)
        wanted.sort(key=lambda row: by_clustering(row.key.clustering), reverse=operation.reverse)
        return self._cut(wanted, operation.columns, operation.page)

    def scan(self, live: Sequence[Row], operation: ScanRows) -> tuple[tuple[Row, ...], bytes]:
        """Return a page of a segment and the position behind it."""
        after = self._key_at(operation.page.position)
        behind = None if after is None else self._scan_place(after)
        wanted = [
            row
            for row in live
            if self._segment(row.key, operation.segment_count) == operation.segment
            and (behind is None or self._scan_place(row.key) > behind)
        ]
        wanted.sort(key=lambda row: self._scan_place(row.key))
        return self._cut(wanted, operation.columns, operation.page)

    def _segment(self, key: Key, count: int) -> int:
        return crc32(self.keys.partition(key.partition)) % count

    def _scan_place(self, key: Key) -> tuple[bytes, bytes]:
        return self.keys.partition(key.partition), self.keys.clustering(key.clustering)

    def _cut(
        self, wanted: Sequence[Row], columns: tuple[str, ...], page: Page
    ) -> tuple[tuple[Row, ...], bytes]:
        taken: list[Row] = []
        bytes_taken = 0
        for row in wanted:
            shown = select(row, columns)
            partition, clustering = self._scan_place(row.key)
            bytes_taken += len(partition) + len(clustering) + len(self.rows.encode(shown.columns))
            if taken and (len(taken) >= page.rows_max or bytes_taken > page.bytes_max):
                return tuple(taken), self._position(taken[-1].key)
            taken.append(shown)
        return tuple(taken), b""

    def _position(self, key: Key) -> bytes:
        return json.dumps([part.hex() for part in self._scan_place(key)]).encode()

    def _key_at(self, position: bytes) -> Key | None:
        if not position:
            return None
        try:
            partition, clustering = cast("list[str]", json.loads(position))
            return self.keys.key(bytes.fromhex(partition), bytes.fromhex(clustering))
        except (ValueError, TypeError, Corrupt):
            self._refuse()

    def _refuse(self) -> NoReturn:
        raise InvalidPageToken(
            f"the page position is none of {self.table.full_name}; leave the page token out to "
            "begin again",
            details={"table": self.table.full_name},
        ) from None
