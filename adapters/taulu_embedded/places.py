"""Where rows stand in the file: hashes and page positions."""

from __future__ import annotations

import hashlib
import struct
from typing import NoReturn

from taulu.codec import Stretch
from taulu.model import Corrupt, InvalidPageToken, Table
from taulu_embedded.shape import StoredTable

_HASH_BYTES = 8
_HASHES = 1 << 64
_HASH_MIN = -(1 << 63)
_QUERY_MARK = b"\x01"
_SCAN_MARK = b"\x02"
_SCAN_HEAD = struct.Struct(">qI")


def partition_hash(partition: bytes) -> int:
    """Return the signed 64-bit hash by which the rows of a table are spread and ordered."""
    digest = hashlib.blake2b(partition, digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)


def segment_hashes(segment: int, segment_count: int) -> tuple[int, int]:
    """Return the first and the last hash of one scan segment."""
    first = _HASH_MIN + segment * _HASHES // segment_count
    return first, _HASH_MIN + (segment + 1) * _HASHES // segment_count - 1


def query_position(clustering: bytes) -> bytes:
    """Return the position of a query page that ended with this row."""
    return _QUERY_MARK + clustering


def resume_query(
    stored: StoredTable, place: tuple[bytes, Stretch], position: bytes, *, reverse: bool
) -> Stretch:
    """Return what is left of a stretch of a partition behind a position.

    Raises:
        InvalidPageToken: The position is none that `query_position` made for this table.
    """
    partition, stretch = place
    if not position:
        return stretch
    clustering = position[1:]
    try:
        stored.keys.key(partition, clustering)
    except Corrupt:
        _refuse(stored.table)
    if position[:1] != _QUERY_MARK:
        _refuse(stored.table)
    return stretch.behind(clustering, reverse=reverse)


def scan_position(row_hash: int, partition: bytes, clustering: bytes) -> bytes:
    """Return the position of a scan page that ended with this row."""
    return _SCAN_MARK + _SCAN_HEAD.pack(row_hash, len(partition)) + partition + clustering


def resume_scan(
    stored: StoredTable, hashes: tuple[int, int], position: bytes
) -> tuple[int, bytes, bytes]:
    """Return the hash, partition and clustering bytes behind which a scan goes on.

    Raises:
        InvalidPageToken: The position is none that `scan_position` made for this segment.
    """
    first, last = hashes
    if not position:
        return first, b"", b""
    head_end = 1 + _SCAN_HEAD.size
    if position[:1] != _SCAN_MARK or len(position) < head_end:
        _refuse(stored.table)
    row_hash, partition_bytes = _SCAN_HEAD.unpack(position[1:head_end])
    partition = position[head_end : head_end + partition_bytes]
    clustering = position[head_end + partition_bytes :]
    try:
        stored.keys.key(partition, clustering)
    except Corrupt:
        _refuse(stored.table)
    if row_hash != partition_hash(partition) or not first <= row_hash <= last:
        _refuse(stored.table)
    return row_hash, partition, clustering


def _refuse(table: Table) -> NoReturn:
    raise InvalidPageToken(
        f"the page position is none of {table.full_name}; leave the page token out to begin again",
        details={"table": table.full_name},
    )
