"""Page positions."""

from __future__ import annotations

import struct
from typing import NoReturn

from taulu.codec import stretch_of
from taulu.model import (
    Bound,
    ClusteringRange,
    Corrupt,
    InvalidPageToken,
    Key,
    Partition,
    Table,
)
from taulu_postgres.slots import slot_of
from taulu_postgres.stored import StoredTable

_QUERY_MARK = b"\x01"
_SCAN_MARK = b"\x02"
_SCAN_HEAD = struct.Struct(">I")


def query_position(stored: StoredTable, key: Key) -> bytes:
    """Return the position of a query page that ended with this row."""
    return _QUERY_MARK + stored.keys.clustering(key.clustering)


def rest_of_query(
    stored: StoredTable, partition: Partition, position: bytes, span: ClusteringRange
) -> Bound | None:
    """Return the bound behind which a query goes on; None at its beginning.

    Raises:
        InvalidPageToken: The position is none that `query_position` made for this range.
    """
    if not position:
        return None
    clustering = position[1:]
    if position[:1] != _QUERY_MARK or not stretch_of(stored.keys, span).has(clustering):
        _refuse(stored.table)
    key = _key(stored, stored.keys.partition(partition), clustering)
    return Bound(key.clustering, exclusive=True)


def scan_position(stored: StoredTable, key: Key) -> bytes:
    """Return the position of a scan page that ended with this row."""
    partition = stored.keys.partition(key.partition)
    clustering = stored.keys.clustering(key.clustering)
    return _SCAN_MARK + _SCAN_HEAD.pack(len(partition)) + partition + clustering


def rest_of_scan(
    stored: StoredTable, slots: tuple[int, int], position: bytes
) -> tuple[int, Key] | None:
    """Return the slot and the key behind which a scan goes on; None at its beginning.

    Raises:
        InvalidPageToken: The position is none that `scan_position` made for this segment.
    """
    if not position:
        return None
    head_end = 1 + _SCAN_HEAD.size
    if position[:1] != _SCAN_MARK or len(position) < head_end:
        _refuse(stored.table)
    (size,) = _SCAN_HEAD.unpack(position[1:head_end])
    partition = position[head_end : head_end + size]
    slot = slot_of(partition)
    if not slots[0] <= slot <= slots[1]:
        _refuse(stored.table)
    return slot, _key(stored, partition, position[head_end + size :])


def _key(stored: StoredTable, partition: bytes, clustering: bytes) -> Key:
    try:
        return stored.keys.key(partition, clustering)
    except Corrupt:
        _refuse(stored.table)


def _refuse(table: Table) -> NoReturn:
    raise InvalidPageToken(
        f"the page position is none of {table.full_name}; leave the page token out to begin again",
        details={"table": table.full_name},
    )
