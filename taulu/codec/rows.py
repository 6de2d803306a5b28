"""Column values as bytes: one MessagePack map from column name to value.

The format is stored on disk and pinned by tests. Types that MessagePack lacks are written as
follows, and read back by the type that the table declares: decimal and uuid as strings in
plain notation, a timestamp as microseconds since 1970, a vector as little-endian 32-bit
floats. Names make rows readable after a column was added; a column that the table no longer
has is passed over.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import cast
from uuid import UUID

import msgspec

from taulu.codec.keys import timestamp_from_us, timestamp_to_us
from taulu.model.errors import Corrupt
from taulu.model.table import Table
from taulu.model.value import ColumnType, TypeName, Value

_Convert = Callable[[object], object]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, object])


def _pack_vector(value: object) -> bytes:
    vector = array("f", cast("array[float]", value))
    if sys.byteorder == "big":
        vector.byteswap()
    return vector.tobytes()


def _unpack_vector(data: object) -> array[float]:
    vector = array("f")
    vector.frombytes(cast(bytes, data))
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


_PACK: dict[TypeName, _Convert] = {
    TypeName.DECIMAL: lambda value: format(cast(Decimal, value), "f"),
    TypeName.UUID: str,
    TypeName.TIMESTAMP: lambda value: timestamp_to_us(cast(datetime, value)),
    TypeName.VECTOR: _pack_vector,
}

_UNPACK: dict[TypeName, _Convert] = {
    TypeName.DECIMAL: lambda data: Decimal(cast(str, data)),
    TypeName.UUID: lambda data: UUID(cast(str, data)),
    TypeName.TIMESTAMP: lambda data: timestamp_from_us(cast(int, data)),
    TypeName.VECTOR: _unpack_vector,
}


def _converter(column_type: ColumnType, scalars: dict[TypeName, _Convert]) -> _Convert | None:
    """Compile the conversion of one type; None when values stand for themselves."""
    if column_type.element is None:
        return scalars.get(column_type.name)
    element = _converter(column_type.element, scalars)
    if element is None:
        return None
    if column_type.name is TypeName.LIST:
        return lambda values: [element(v) for v in cast("list[object]", values)]
    return lambda values: {k: element(v) for k, v in cast("dict[str, object]", values).items()}


@dataclass(frozen=True)
class RowCodec:
    """Turns the columns of one table's rows into bytes and back. Made once per table, at load."""

    table: Table

    @cached_property
    def _pack(self) -> dict[str, _Convert]:
        found = {c.name: _converter(c.type, _PACK) for c in self.table.columns}
        return {name: convert for name, convert in found.items() if convert is not None}

    @cached_property
    def _unpack(self) -> dict[str, _Convert | None]:
        return {c.name: _converter(c.type, _UNPACK) for c in self.table.columns}

    def encode(self, columns: Mapping[str, Value]) -> bytes:
        """Encode the columns that are set; None is left out."""
        set_columns: dict[str, object] = {k: v for k, v in columns.items() if v is not None}
        for name, convert in self._pack.items():
            if name in set_columns:
                set_columns[name] = convert(set_columns[name])
        return _encoder.encode(set_columns)

    def decode(self, data: bytes, wanted: tuple[str, ...] = ()) -> dict[str, Value]:
        """Decode the wanted columns; all of them when none is named.

        Raises:
            Corrupt: The bytes are no row of this table.
        """
        try:
            stored = _decoder.decode(data)
            columns: dict[str, object] = {}
            for name in wanted or stored:
                if name in stored and name in self._unpack:
                    convert = self._unpack[name]
                    columns[name] = stored[name] if convert is None else convert(stored[name])
        except (msgspec.DecodeError, ValueError, ArithmeticError, TypeError) as error:
            raise Corrupt(
                f"a stored row of {self.table.full_name} cannot be decoded: {error}",
                details={"table": self.table.full_name},
            ) from error
        return cast("dict[str, Value]", columns)
