"""The key format is stored on disk: bytes are pinned, and their order is the keys' order."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taulu.codec import KeyCodec, prefix_end, timestamp_from_us, timestamp_to_us
from taulu.model import (
    ClusteringColumn,
    Column,
    ColumnType,
    Corrupt,
    Key,
    Kind,
    Table,
    TypeName,
)

TYPES = {
    TypeName.BOOL: st.booleans(),
    TypeName.INT64: st.integers(-(2**63), 2**63 - 1),
    TypeName.STRING: st.text(),
    TypeName.BYTES: st.binary(),
    TypeName.TIMESTAMP: st.datetimes(timezones=st.just(UTC)),
    TypeName.UUID: st.uuids(),
}


def table(*types: TypeName, descending: bool = False) -> Table:
    columns = [Column(f"c{at}", ColumnType(name)) for at, name in enumerate(types)]
    return Table(
        "n",
        "t",
        Kind.WIDE,
        partition_key=(Column("p", ColumnType(TypeName.STRING)),),
        clustering_key=tuple(ClusteringColumn(c, descending) for c in columns),
    )


@pytest.mark.parametrize(
    ("name", "value", "up", "down"),
    [
        (TypeName.BOOL, True, "01", "fe"),
        (TypeName.INT64, 0, "8000000000000000", "7fffffffffffffff"),
        (TypeName.INT64, -1, "7fffffffffffffff", "8000000000000000"),
        (TypeName.STRING, "a\x00é", "6100ffc3a90001", "9eff003c56fffe"),
        (TypeName.BYTES, b"", "0001", "fffe"),
        (
            TypeName.TIMESTAMP,
            datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            "8000000000000001",
            "7ffffffffffffffe",
        ),
        (TypeName.UUID, UUID(int=1), "0" * 31 + "1", "f" * 31 + "e"),
    ],
)
def test_each_type_has_its_bytes(name: TypeName, value: object, up: str, down: str) -> None:
    assert KeyCodec(table(name)).clustering((value,)).hex() == up
    assert KeyCodec(table(name, descending=True)).clustering((value,)).hex() == down


@given(st.data(), st.booleans())
def test_bytes_order_as_the_values_do(data: st.DataObject, descending: bool) -> None:
    names = data.draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=3))
    codec = KeyCodec(table(*names, descending=descending))
    one, other = (tuple(data.draw(TYPES[name]) for name in names) for _ in range(2))
    encoded = codec.clustering(one), codec.clustering(other)
    comparable = [
        tuple(v.encode() if isinstance(v, str) else v for v in values) for values in (one, other)
    ]
    if comparable[0] == comparable[1]:
        assert encoded[0] == encoded[1]
    else:
        assert (encoded[0] < encoded[1]) is ((comparable[0] < comparable[1]) != descending)


@given(st.data(), st.booleans())
def test_keys_come_back_whole(data: st.DataObject, descending: bool) -> None:
    names = data.draw(st.lists(st.sampled_from(list(TYPES)), max_size=4))
    codec = KeyCodec(table(*names, descending=descending))
    key = Key((data.draw(st.text()),), tuple(data.draw(TYPES[name]) for name in names))
    found = codec.key(codec.partition(key.partition), codec.clustering(key.clustering))
    assert found == key


@given(st.data())
def test_a_prefix_of_the_values_has_a_prefix_of_the_bytes(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(list(TYPES)), min_size=2, max_size=4))
    codec = KeyCodec(table(*names))
    values = tuple(data.draw(TYPES[name]) for name in names)
    for count in range(len(values)):
        prefix = codec.clustering(values[:count])
        whole = codec.clustering(values)
        assert whole.startswith(prefix)
        end = prefix_end(prefix)
        assert end is None or prefix <= whole < end


@given(st.binary(max_size=40), st.sampled_from(list(TYPES)), st.booleans())
def test_garbage_is_corrupt_or_a_key_of_the_same_bytes(
    data: bytes, name: TypeName, descending: bool
) -> None:
    codec = KeyCodec(table(name, descending=descending))
    try:
        key = codec.key(codec.partition(("p",)), data)
    except Corrupt:
        return
    if name is not TypeName.BOOL:
        assert codec.clustering(key.clustering) == data


def test_the_end_of_a_prefix() -> None:
    assert prefix_end(b"") is None
    assert prefix_end(b"\xff\xff") is None
    assert prefix_end(b"a\xff") == b"b"
    assert prefix_end(b"a") == b"b"


@given(st.datetimes(timezones=st.just(UTC)))
def test_timestamps_are_exact(value: datetime) -> None:
    assert timestamp_from_us(timestamp_to_us(value)) == value
