"""Page positions, made of the last row's key, so that any gateway can go on from them."""

from __future__ import annotations

import struct
from typing import NoReturn

from taulu.model import Corrupt, InvalidPageToken, Key, Partition, Table
from taulu_cassandra.layout import Clustering, Layout

_QUERY_MARK = b"\x01"
_SCAN_MARK = b"\x02"
_SCAN_HEAD = struct.Struct(">qI")

TOKEN_MIN = -(2**63)
_TOKENS = 2**64


def segment_tokens(segment: int, segment_count: int) -> tuple[int, int]:
    """Return the first and the last of the hashes of one scan segment."""
    first = TOKEN_MIN + segment * _TOKENS // segment_count
    return first, TOKEN_MIN + (segment + 1) * _TOKENS // segment_count - 1


def query_position(layout: Layout, clustering: Clustering) -> bytes:
    """Return the position of a query page that ended with this row."""
    return _QUERY_MARK + layout.keys.clustering(clustering)


def resume_query(layout: Layout, partition: Partition, position: bytes) -> Clustering:
    """Return the row behind which a query of a partition goes on.

    Raises:
        InvalidPageToken: The position is none that `query_position` made for this table.
    """
    if position[:1] != _QUERY_MARK:
        _refuse(layout.table)
    return _key(layout, layout.keys.partition(partition), position[1:]).clustering


def scan_position(layout: Layout, token: int, key: Key) -> bytes:
    """Return the position of a scan page that ended with this row."""
    partition = layout.keys.partition(key.partition)
    head = _SCAN_HEAD.pack(token, len(partition))
    return _SCAN_MARK + head + partition + layout.keys.clustering(key.clustering)


def resume_scan(layout: Layout, position: bytes, tokens: tuple[int, int]) -> tuple[int, Key]:
    """Return the hash and the key behind which a scan goes on.

    Raises:
        InvalidPageToken: The position is none that `scan_position` made for this segment.
    """
    head_end = 1 + _SCAN_HEAD.size
    if position[:1] != _SCAN_MARK or len(position) < head_end:
        _refuse(layout.table)
    token, partition_bytes = _SCAN_HEAD.unpack(position[1:head_end])
    partition = position[head_end : head_end + partition_bytes]
    if not tokens[0] <= token <= tokens[1]:
        _refuse(layout.table)
    return token, _key(layout, partition, position[head_end + partition_bytes :])


def _key(layout: Layout, partition: bytes, clustering: bytes) -> Key:
    try:
        return layout.keys.key(partition, clustering)
    except Corrupt:
        _refuse(layout.table)


def _refuse(table: Table) -> NoReturn:
    raise InvalidPageToken(
        f"the page position is none of {table.full_name}; leave the page token out to begin again",
        details={"table": table.full_name},
    )
