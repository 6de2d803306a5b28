"""Slots: the locks of a table's partitions, the order of its scans, and the memory of deletes.

A table's partitions are spread over a fixed number of slots by hash. A writer locks the slot
rows of all partitions that it reads or writes, in ascending order, before it reads anything:
so writers of a partition run one after another, and no two wait for each other. The row keeps the
highest version that was deleted under it, so that a row that comes back stands above
the one that went, whatever the clocks say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from taulu_postgres._driver import Call
from taulu_postgres.names import Names

SLOTS = 4096
"""Stored with every row, so it can never change."""


def slot_of(partition: bytes) -> int:
    """Return the slot of an encoded partition key."""
    digest = hashlib.blake2b(partition, digest_size=8).digest()
    return int.from_bytes(digest, "big") * SLOTS >> 64


def segment_slots(segment: int, segment_count: int) -> tuple[int, int]:
    """Return the first and the last slot of one scan segment; empty when they are reversed."""
    return segment * SLOTS // segment_count, (segment + 1) * SLOTS // segment_count - 1


def lock(names: Names, table_id: int, slots: Iterable[int]) -> Call:
    """Lock slots, and return each with the highest version deleted under it.

    It answers `(slot, version)`.
    """
    return Call(
        f"SELECT slot, version FROM {names.slots} "
        "WHERE table_id = $1::integer AND slot = ANY($2::smallint[]) ORDER BY slot FOR UPDATE",
        (table_id, sorted(set(slots))),
    )


def raise_floors(names: Names, table_id: int, slots: Iterable[int], version: int) -> Call:
    """Remember that nothing that comes back under these slots may have this version or less."""
    return Call(
        f"UPDATE {names.slots} SET version = $3::bigint "
        "WHERE table_id = $1::integer AND slot = ANY($2::smallint[]) AND version < $3::bigint",
        (table_id, sorted(set(slots)), version),
    )
