from __future__ import annotations

from array import array
from datetime import UTC, datetime
from uuid import UUID

import pytest

from taulu.model import ColumnType, TypeName
from taulu_cassandra.cql_types import (
    clustering_codec,
    column_decoder,
    column_encoder,
    native_type,
    partition_codec,
)

MOMENT = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def _list(element: ColumnType) -> ColumnType:
    return ColumnType(TypeName.LIST, element=element)


def _map(element: ColumnType) -> ColumnType:
    return ColumnType(TypeName.MAP, element=element)


@pytest.mark.parametrize(
    ("column_type", "native", "value", "stored"),
    [
        (ColumnType(TypeName.TIMESTAMP), "bigint", MOMENT, -1),
        (ColumnType(TypeName.VECTOR, size=2), "vector<float, 2>", array("f", [1, 2]), [1.0, 2.0]),
        (
            _map(_list(ColumnType(TypeName.TIMESTAMP))),
            "frozen<map<text, frozen<list<bigint>>>>",
            {"a": [MOMENT], "b": []},
            {"a": [-1], "b": []},
        ),
    ],
)
def test_values_are_stored_exactly(
    column_type: ColumnType, native: str, value: object, stored: object
) -> None:
    assert native_type(column_type) == native
    assert column_encoder(column_type)(value) == stored
    assert column_decoder(column_type)(stored) == value


def test_uuids_order_as_their_text() -> None:
    encode, decode = clustering_codec(TypeName.UUID)
    # By Cassandra's own order of uuids the second, of version 1, would stand first.
    texts = ("00000000-0000-4000-8000-000000000000", "f0000000-0000-1000-8000-000000000000")
    uuids = [UUID(text) for text in texts]
    assert sorted(str(encode(value)) for value in uuids) == [encode(value) for value in uuids]
    assert [decode(encode(value)) for value in uuids] == uuids


@pytest.mark.parametrize(
    ("value", "stored"),
    [("", "\x00"), ("\x00", "\x00\x00"), ("a", "a"), ("a\x00", "a\x00"), ("\x00a", "\x00a")],
)
def test_a_partition_key_of_one_column_is_never_empty(value: str, stored: str) -> None:
    encode, decode = partition_codec(TypeName.STRING, alone=True)
    assert encode(value) == stored
    assert decode(stored) == value
    encode, decode = partition_codec(TypeName.BYTES, alone=True)
    assert encode(value.encode()) == stored.encode()
    assert decode(stored.encode()) == value.encode()
    encode, decode = partition_codec(TypeName.STRING, alone=False)
    assert encode(value) == value
