"""Column values as text that `redis-cli` shows. The format is stored, and pinned by tests.

| type | text |
|---|---|
| bool | `true`, `false` |
| int64 | decimal |
| float64 | the shortest decimal that reads back as the same number; `nan`, `inf`, `-inf` |
| decimal | plain notation, with its own number of places |
| string | itself |
| bytes | itself in a kv row and a log record; base64 in a wide row, which is JSON |
| timestamp | `2026-11-25T04:27:16.000001Z` |
| uuid | with hyphens |
| vector | little-endian 32-bit floats, as bytes are |
| list, map | JSON, sorted by key; numbers bare, all other elements as texts as in a wide row |
"""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TypeVar, cast
from uuid import UUID

import msgspec

from taulu.model import ColumnType, Corrupt, Table, TypeName, Value
from taulu_redis.keys import timestamp_text

_TextT = TypeVar("_TextT", bytes, str)

VERSION_FIELD = b"@version"
EXPIRES_FIELD = b"@expires"

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(dict[str, str]).decode


def _vector_bytes(value: Value) -> bytes:
    vector = array("f", cast("array[float]", value))
    if sys.byteorder == "big":
        vector.byteswap()
    return vector.tobytes()


def _vector(data: bytes) -> array[float]:
    vector = array("f")
    vector.frombytes(data)
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


_ENCODE: dict[TypeName, Callable[[Value], bytes]] = {
    TypeName.BOOL: lambda value: b"true" if value else b"false",
    TypeName.INT64: lambda value: b"%d" % cast(int, value),
    TypeName.FLOAT64: lambda value: repr(float(cast(float, value))).encode(),
    TypeName.DECIMAL: lambda value: format(cast(Decimal, value), "f").encode(),
    TypeName.STRING: lambda value: cast(str, value).encode(),
    TypeName.BYTES: lambda value: cast(bytes, value),
    TypeName.TIMESTAMP: lambda value: timestamp_text(cast(datetime, value)).encode(),
    TypeName.UUID: lambda value: str(value).encode(),
    TypeName.VECTOR: _vector_bytes,
}

_DECODE: dict[TypeName, Callable[[bytes], Value]] = {
    TypeName.BOOL: lambda data: {b"true": True, b"false": False}[data],
    TypeName.INT64: int,
    TypeName.FLOAT64: float,
    TypeName.DECIMAL: lambda data: Decimal(data.decode()),
    TypeName.STRING: lambda data: data.decode(),
    TypeName.BYTES: lambda data: data,
    TypeName.TIMESTAMP: lambda data: datetime.fromisoformat(data.decode()),
    TypeName.UUID: lambda data: UUID(data.decode()),
    TypeName.VECTOR: _vector,
}

_BINARY = frozenset({TypeName.BYTES, TypeName.VECTOR})
_BARE = frozenset({TypeName.BOOL, TypeName.INT64, TypeName.FLOAT64})


def _to_element(kind: ColumnType, value: Value) -> object:
    if kind.name is TypeName.LIST and kind.element is not None:
        return [_to_element(kind.element, held) for held in cast("list[Value]", value)]
    if kind.name is TypeName.MAP and kind.element is not None:
        held = cast("dict[str, Value]", value)
        return {name: _to_element(kind.element, held[name]) for name in sorted(held)}
    if kind.name in _BARE:
        return value
    return _json_text(kind, value)


def _from_element(kind: ColumnType, data: object) -> Value:
    if kind.name is TypeName.LIST and kind.element is not None:
        return [_from_element(kind.element, held) for held in cast("list[object]", data)]
    if kind.name is TypeName.MAP and kind.element is not None:
        held = cast("dict[str, object]", data)
        return {name: _from_element(kind.element, held[name]) for name in held}
    if kind.name in _BARE:
        return cast(Value, data)
    return _from_json_text(kind, cast(str, data))


def encode(kind: ColumnType, value: Value) -> bytes:
    """Return the text of a value."""
    if kind.element is not None:
        plain = _to_element(kind, value)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    return _ENCODE[kind.name](value)


def decode(kind: ColumnType, data: bytes) -> Value:
    """Return the value of a text. Raises `ValueError`, `KeyError` or `ArithmeticError`."""
    if kind.element is not None:
        return _from_element(kind, json.loads(data))
    return _DECODE[kind.name](data)


def _json_text(kind: ColumnType, value: Value) -> str:
    data = encode(kind, value)
    return base64.b64encode(data).decode() if kind.name in _BINARY else data.decode()


def _from_json_text(kind: ColumnType, text: str) -> Value:
    if kind.name in _BINARY:
        return decode(kind, base64.b64decode(text, validate=True))
    return decode(kind, text.encode())


@dataclass(frozen=True)
class ColumnCodec:
    """Turns the columns of one table's rows into text and back. Made once per table, at load."""

    table: Table

    @cached_property
    def types(self) -> dict[str, ColumnType]:
        """The type of every column by name."""
        return {column.name: column.type for column in self.table.columns}

    def to_fields(self, columns: Mapping[str, Value]) -> list[bytes]:
        """Return names and texts in turn, of the columns that are set."""
        fields: list[bytes] = []
        for name, value in columns.items():
            if value is not None:
                fields += (name.encode(), encode(self.types[name], value))
        return fields

    def from_fields(
        self, fields: Mapping[bytes, bytes], wanted: tuple[str, ...] = ()
    ) -> dict[str, Value]:
        """Return the wanted columns of a kv row or a record; all of them when none is named.

        Raises:
            Corrupt: A text is none of its column's type.
        """
        found = {name.decode(): data for name, data in fields.items()}
        return self._read(found, wanted, decode)

    def to_body(self, columns: Mapping[str, Value]) -> bytes:
        """Return the JSON of a wide row: a text for every column that is set."""
        return _to_json(
            {
                name: _json_text(self.types[name], value)
                for name, value in columns.items()
                if value is not None
            }
        )

    def from_body(self, body: bytes, wanted: tuple[str, ...] = ()) -> dict[str, Value]:
        """Return the wanted columns of a wide row; all of them when none is named.

        Raises:
            Corrupt: The bytes are no row of this table.
        """
        try:
            texts = _from_json(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._corrupt(error) from error
        return self._read(texts, wanted, _from_json_text)

    def json_text(self, name: str, value: Value) -> str:
        """Return the text of one column as it stands in a wide row."""
        return _json_text(self.types[name], value)

    def _read(
        self,
        texts: Mapping[str, _TextT],
        wanted: tuple[str, ...],
        read: Callable[[ColumnType, _TextT], Value],
    ) -> dict[str, Value]:
        """Read what the table knows; a column that it no longer has is passed over."""
        columns: dict[str, Value] = {}
        try:
            for name in wanted or texts:
                if name in texts and name in self.types:
                    columns[name] = read(self.types[name], texts[name])
        except (ValueError, KeyError, ArithmeticError, TypeError) as error:
            raise self._corrupt(error) from error
        return columns

    def _corrupt(self, error: Exception) -> Corrupt:
        return Corrupt(
            f"a stored row of {self.table.full_name} cannot be read: {error!r}",
            details={"table": self.table.full_name},
        )
