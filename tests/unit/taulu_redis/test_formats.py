"""Stored formats, pinned: bytes outlive releases."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from taulu.conformance.tables import CONFORMANCE_TABLES
from taulu.model import (
    Column,
    ColumnType,
    Corrupt,
    IdempotencyToken,
    Key,
    KeyValue,
    Kind,
    Put,
    SchemaConflict,
    Table,
    TypeName,
    Value,
    WriteUnit,
)
from taulu_redis import units
from taulu_redis.columns import ColumnCodec
from taulu_redis.keys import Spots
from taulu_redis.layout import layout_of, merged
from taulu_redis.tokens import Moment

_TYPES = (
    *(TypeName.BOOL, TypeName.INT64, TypeName.STRING),
    *(TypeName.BYTES, TypeName.TIMESTAMP, TypeName.UUID),
)
_UUID = UUID("00112233-4455-6677-8899-aabbccddeeff")
_AT = datetime(2026, 11, 25, 4, 27, 16, 1, tzinfo=UTC)
ITEMS = next(table for table in CONFORMANCE_TABLES if table.name == "items")


def keyed_by(*types: TypeName) -> Table:
    columns = tuple(Column(f"c{i}", ColumnType(kind)) for i, kind in enumerate(types))
    return Table("features", "online", Kind.KV, columns)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((True, -5, "c-42", b"\x00\xff", _AT, _UUID),
         f"true/-5/c-42/00ff/2026-11-25T04:27:16.000001Z/{_UUID}"),
        ((False, 2**63 - 1, "", b"", _AT.replace(microsecond=0), _UUID),
         f"false/9223372036854775807///2026-11-25T04:27:16.000000Z/{_UUID}"),
        ((False, 0, "a/b%2F c\x00\n{é\U0001f9ea}", b"", _AT, _UUID),
         f"false/0/a%2Fb%252F%20c%00%0A{{é\U0001f9ea}}//2026-11-25T04:27:16.000001Z/{_UUID}"),
    ],
)  # fmt: skip
def test_keys_are_spelled_so_that_people_can_read_them(
    values: tuple[KeyValue, ...], name: str
) -> None:
    spots = Spots(keyed_by(*_TYPES), 256)
    assert spots.of(values).name == name
    assert spots.partition(name) == values


def test_all_that_a_unit_touches_has_one_tag() -> None:
    spot = Spots(keyed_by(TypeName.STRING), 256).of(("c-42",))
    assert spot.key("row") == b"taulu:{features.online:136}:row:c-42"
    assert spot.shared("clock") == b"taulu:{features.online:136}:clock"
    assert spot.token("nonce-01") == b"taulu:{features.online:136}:token:nonce-01"


@pytest.mark.parametrize("name", ["", "a/b/c", "x"])
def test_a_key_that_is_none_is_corrupt(name: str) -> None:
    with pytest.raises(Corrupt):
        Spots(keyed_by(TypeName.INT64, TypeName.INT64), 1).partition(name)


@pytest.mark.parametrize(
    ("column", "value", "field", "in_body"),
    [
        ("flag", True, b"true", '"true"'),
        ("count", -(2**63), b"-9223372036854775808", '"-9223372036854775808"'),
        ("ratio", 0.1, b"0.1", '"0.1"'),
        ("ratio", float("inf"), b"inf", '"inf"'),
        ("price", Decimal("1E+3"), b"1000", '"1000"'),
        ("price", Decimal("-0.000100"), b"-0.000100", '"-0.000100"'),
        ("text", 'a"\x00é', b'a"\x00\xc3\xa9', '"a\\"\\u0000é"'),
        ("blob", b"\x00\xff", b"\x00\xff", '"AP8="'),
        ("at", _AT, b"2026-11-25T04:27:16.000001Z", '"2026-11-25T04:27:16.000001Z"'),
        ("ref", _UUID, str(_UUID).encode(), f'"{_UUID}"'),
        ("point", array("f", [0.5, -1.25, 2]), b"\0\0\0?\0\0\xa0\xbf\0\0\0@", '"AAAAPwAAoL8AAABA"'),
        ("tags", ["b", ""], b'["b",""]', '"[\\"b\\",\\"\\"]"'),
        ("amounts", {"b": 1, "a": 2}, b'{"a":2,"b":1}', '"{\\"a\\":2,\\"b\\":1}"'),
    ],
)
def test_each_type_has_one_text(column: str, value: Value, field: bytes, in_body: str) -> None:
    codec = ColumnCodec(ITEMS)
    assert codec.to_fields({column: value}) == [column.encode(), field]
    body = f'{{"{column}":{in_body}}}'.encode()
    assert codec.to_body({column: value}) == body
    assert codec.from_fields({column.encode(): field}) == {column: value}
    assert codec.from_body(body) == {column: value}


def test_nested_elements_are_texts_where_json_has_no_type() -> None:
    inner = ColumnType(TypeName.MAP, element=ColumnType(TypeName.BYTES))
    column = Column("nested", ColumnType(TypeName.LIST, element=inner))
    prices = Column("prices", ColumnType(TypeName.LIST, element=ColumnType(TypeName.DECIMAL)))
    table = Table("a", "b", Kind.KV, (Column("id", ColumnType(TypeName.STRING)),),
                  columns=(column, prices))  # fmt: skip
    codec = ColumnCodec(table)
    columns: dict[str, Value] = {
        "nested": [{"x": b"\xff"}, {}],
        "prices": [Decimal("1.10"), Decimal(3)],
    }
    fields = codec.to_fields(columns)
    assert fields == [b"nested", b'[{"x":"/w=="},{}]', b"prices", b'["1.10","3"]']
    assert codec.from_fields(dict(zip(fields[::2], fields[1::2], strict=True))) == columns


def test_a_moment_is_spelled_alike_in_every_zone() -> None:
    codec = ColumnCodec(ITEMS)
    elsewhere = _AT.astimezone(timezone(timedelta(hours=2)))
    assert codec.to_fields({"at": elsewhere}) == codec.to_fields({"at": _AT})


@pytest.mark.parametrize(
    ("column", "text"),
    [("flag", b"yes"), ("count", b"x"), ("ref", b"1"), ("tags", b"["), ("point", b"abc")],
)
def test_a_text_that_is_none_of_its_type_is_corrupt(column: str, text: bytes) -> None:
    with pytest.raises(Corrupt):
        ColumnCodec(ITEMS).from_fields({column.encode(): text})
    for body in (b"", b"[]", b'{"count":1}', b'{"count":"x"}'):
        with pytest.raises(Corrupt):
            ColumnCodec(ITEMS).from_body(body)


def test_what_a_script_is_sent_stays_what_it_is() -> None:
    layout = layout_of(ITEMS)
    unit = WriteUnit(
        (Put(Key(("a",)), {"count": 1}, 5_000_000),), IdempotencyToken(1_000_000, "nonce-01")
    )
    command = units.command_for(layout, unit, Moment(2_000_000, 60_000_000, 3_600_000_000))
    tag = b"taulu:" + layout.spots.of(("a",)).tag.encode()
    assert command.words[2:] == (
        *(5, tag + b":row:a", tag + b":clock", tag + b":token:nonce-01"),
        *(tag + b":index", tag + b":index_ends"),
        *(2_000_000, 60_000_000, "025397ca6eed7960b74b53c5c283d538", 3_600_000),
        *(tag + b":row:", "a", 0, 1, "put", 7_000_000, 1, b"count", b"1"),
    )


def test_a_description_takes_new_columns_and_nothing_else() -> None:
    first = merged(layout_of(keyed_by(TypeName.STRING)), None)
    assert first == (
        b'{"kind": "kv", "format": 1, "buckets": 256, "scan": true, "partition_key": '
        b'["c0 string"], "clustering_key": [], "log_partitions": 0, "columns": {}}'
    )
    assert merged(layout_of(keyed_by(TypeName.STRING)), first) == first
    with pytest.raises(SchemaConflict, match="partition key"):
        merged(layout_of(keyed_by(TypeName.INT64)), first)
    with pytest.raises(Corrupt):
        merged(layout_of(keyed_by(TypeName.STRING)), b"{")
