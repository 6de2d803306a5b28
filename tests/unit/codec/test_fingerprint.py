"""Fingerprints are stored on disk, so they are pinned here."""

from __future__ import annotations

from array import array
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from taulu.codec.fingerprint import fingerprint
from taulu.model import (
    Bound,
    Bounds,
    ClusteringRange,
    Commit,
    Delete,
    DeleteRange,
    IdempotencyToken,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Increment,
    Key,
    NewRecord,
    Put,
    Release,
    Reserve,
    Update,
    WriteUnit,
)

TOKEN = IdempotencyToken(1, "nonce-0001")
KEY = Key(("a",), (1, b"\x00"))
UNIT = WriteUnit(
    (
        Put(KEY, {"b": 1, "a": None}, 5),
        Update(KEY, {"v": array("f", [1.5]), "d": Decimal("1.20")}),
        Delete(KEY),
        DeleteRange(("a",), ClusteringRange(Bound((1,), exclusive=True), None)),
    ),
    TOKEN,
    (
        IfAbsent(KEY),
        IfPresent(KEY),
        IfVersion(KEY, 7),
        IfColumns(KEY, {"t": datetime(2020, 1, 2, tzinfo=UTC), "u": UUID(int=5)}),
    ),
)
EFFECTS = [
    UNIT,
    NewRecord(("s",), {"x": [1, "y", {"z": 2.5}]}, TOKEN),
    Increment(KEY, 5, TOKEN, Bounds(0, 9)),
    Reserve(KEY, -5, "hold", 60, TOKEN),
    Commit(KEY, "hold", TOKEN, 3),
    Release(KEY, "hold", TOKEN),
]
PINNED = [
    "44274892e9286533879760f649040e4e",
    "f8627742aea1ac16bd302bf170e2b9b6",
    "24b1a7f04867615bcb1c53a86126d24d",
    "0dd25d173b49958429d178c467a873cb",
    "f10c37a612114cedbebb7b7a8608b865",
    "2f92f096c423e80f7637d767d3d4a863",
]


def test_fingerprints_stay_what_they_are() -> None:
    assert [fingerprint(effect).hex() for effect in EFFECTS] == PINNED


def test_order_of_columns_and_the_token_do_not_count() -> None:
    swapped = replace(UNIT.mutations[0], columns={"a": None, "b": 1})
    other = replace(
        UNIT, mutations=(swapped, *UNIT.mutations[1:]), token=IdempotencyToken(2, "nonce-0002")
    )
    assert fingerprint(other) == fingerprint(UNIT)


def test_everything_else_counts() -> None:
    put = UNIT.mutations[0]
    others = [
        replace(UNIT, conditions=UNIT.conditions[1:]),
        replace(UNIT, mutations=UNIT.mutations[1:]),
        replace(UNIT, mutations=UNIT.mutations[::-1]),
        replace(UNIT, mutations=(replace(put, ttl_us=6), *UNIT.mutations[1:])),
        replace(UNIT, mutations=(replace(put, columns={"b": 2, "a": None}), *UNIT.mutations[1:])),
        replace(UNIT, mutations=(replace(put, columns={"b": 1}), *UNIT.mutations[1:])),
        replace(UNIT, mutations=(replace(put, columns={"b": "1", "a": None}), *UNIT.mutations[1:])),
        replace(UNIT, mutations=(replace(put, key=Key(("a",), (1,))), *UNIT.mutations[1:])),
        replace(UNIT, mutations=(Update(KEY, put.columns, 5), *UNIT.mutations[1:])),
        *EFFECTS[1:],
        Reserve(KEY, -5, "hold2", 60, TOKEN),
        Reserve(KEY, -5, "hold", 61, TOKEN),
        Reserve(KEY, -5, "hold", 60, TOKEN, Bounds(floor=0)),
        Commit(KEY, "hold", TOKEN),
    ]
    found = [fingerprint(effect) for effect in (UNIT, *others)]
    assert len(set(found)) == len(found)
