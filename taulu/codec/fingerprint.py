"""What an idempotency token stands for, as 16 bytes.

Two writes have the same fingerprint exactly if they ask for the same effect: everything is
covered except the token itself, and the order of a mapping does not count. The encoding
names every part by position and every type by a letter, so that adding a field to the model
changes no fingerprint that is already stored. It is stored on disk and pinned by tests.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from typing import TypeAlias, cast

import msgspec

from taulu.model import (
    Bound,
    Bounds,
    ClusteringRange,
    Commit,
    Condition,
    CounterChange,
    Delete,
    DeleteRange,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Increment,
    Key,
    Mutation,
    NewRecord,
    Put,
    Release,
    Reserve,
    Update,
    WriteUnit,
)

_DIGEST_BYTES = 16

Effect: TypeAlias = WriteUnit | CounterChange | NewRecord


def _plain(value: object) -> bytes:
    """Encode the one value type that MessagePack lacks: a vector, as little-endian floats."""
    vector = array("f", cast("array[float]", value))
    if sys.byteorder == "big":
        vector.byteswap()
    return vector.tobytes()


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic")


def fingerprint(effect: Effect) -> bytes:
    """Return the digest of all that an effect does, its token left out."""
    match effect:
        case WriteUnit():
            parts: list[object] = [
                "unit",
                [_mutation(mutation) for mutation in effect.mutations],
                [_condition(condition) for condition in effect.conditions],
            ]
        case NewRecord():
            parts = ["record", effect.key, effect.columns]
        case _:
            parts = _change(effect)
    return hashlib.blake2b(_encoder.encode(parts), digest_size=_DIGEST_BYTES).digest()


def _key(key: Key) -> list[object]:
    return [key.partition, key.clustering]


def _bound(bound: Bound | None) -> list[object] | None:
    return None if bound is None else [bound.prefix, bound.exclusive]


def _range(stretch: ClusteringRange) -> list[object]:
    return [_bound(stretch.start), _bound(stretch.end)]


def _bounds(bounds: Bounds) -> list[object]:
    return [bounds.floor, bounds.ceiling]


def _mutation(mutation: Mutation) -> list[object]:
    match mutation:
        case Put():
            return ["p", _key(mutation.key), mutation.columns, mutation.ttl_us]
        case Update():
            return ["u", _key(mutation.key), mutation.columns, mutation.ttl_us]
        case Delete():
            return ["d", _key(mutation.key)]
        case DeleteRange():
            return ["r", mutation.partition, _range(mutation.range)]


def _condition(condition: Condition) -> list[object]:
    match condition:
        case IfAbsent():
            return ["a", _key(condition.key)]
        case IfPresent():
            return ["p", _key(condition.key)]
        case IfVersion():
            return ["v", _key(condition.key), condition.version]
        case IfColumns():
            return ["c", _key(condition.key), condition.columns]


def _change(change: CounterChange) -> list[object]:
    key = _key(change.key)
    match change:
        case Increment():
            return ["i", key, change.delta, _bounds(change.bounds)]
        case Reserve():
            return [
                "h",
                key,
                change.hold_id,
                change.amount,
                change.ttl_us,
                _bounds(change.bounds),
            ]
        case Commit():
            return ["m", key, change.hold_id, change.amount]
        case Release():
            return ["l", key, change.hold_id]
