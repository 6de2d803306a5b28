"""Which native type each column type has, and how values pass between the two.

Values keep their exactness and keys their order, which decides three of them: a timestamp is a
`bigint` of microseconds, since Cassandra's own has milliseconds; a uuid among the clustering
columns is its text, since Cassandra orders uuids by version and time; and a partition key of a
single text or blob column cannot be empty, so that there a run of n zero bytes stands as n + 1.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias, cast
from uuid import UUID

from taulu.codec import timestamp_from_us, timestamp_to_us
from taulu.model import ColumnType, KeyValue, TypeName, Value

Convert: TypeAlias = Callable[[object], object]

_NATIVE = {
    TypeName.BOOL: "boolean",
    TypeName.INT64: "bigint",
    TypeName.FLOAT64: "double",
    TypeName.DECIMAL: "decimal",
    TypeName.STRING: "text",
    TypeName.BYTES: "blob",
    TypeName.TIMESTAMP: "bigint",
    TypeName.UUID: "uuid",
}

_LOWEST: dict[str, KeyValue] = {
    "boolean": False,
    "bigint": -(2**63),
    "text": "",
    "blob": b"",
}


def same(value: object) -> object:
    """Return the value: most types stand for themselves."""
    return value


def native_type(column_type: ColumnType) -> str:
    """Return the native type of a column outside the key.

    Collections are frozen: one value, in which empty differs from not set.
    """
    if column_type.name is TypeName.VECTOR:
        return f"vector<float, {column_type.size}>"
    if column_type.element is None:
        return _NATIVE[column_type.name]
    element = native_type(column_type.element)
    if column_type.name is TypeName.LIST:
        return f"frozen<list<{element}>>"
    return f"frozen<map<text, {element}>>"


def clustering_type(name: TypeName) -> str:
    """Return the native type of a clustering column, which has to order as its values do."""
    return "text" if name is TypeName.UUID else _NATIVE[name]


def partition_type(name: TypeName) -> str:
    """Return the native type of a partition key column."""
    return _NATIVE[name]


def lowest(native: str) -> KeyValue:
    """Return the first value of a clustering column's native type."""
    return _LOWEST[native]


_ENCODE: dict[TypeName, Convert] = {
    TypeName.TIMESTAMP: lambda value: timestamp_to_us(cast("datetime", value)),
    TypeName.VECTOR: lambda value: list(cast("array[float]", value)),
}
_DECODE: dict[TypeName, Convert] = {
    TypeName.TIMESTAMP: lambda value: timestamp_from_us(cast(int, value)),
    TypeName.VECTOR: lambda value: array("f", cast("list[float]", value)),
}


def _converter(column_type: ColumnType, scalars: Mapping[TypeName, Convert]) -> Convert:
    if column_type.element is None:
        return scalars.get(column_type.name, same)
    element = _converter(column_type.element, scalars)
    if column_type.name is TypeName.LIST:
        return lambda values: [element(value) for value in cast("list[object]", values)]
    return lambda values: {k: element(v) for k, v in cast("dict[str, object]", values).items()}


def column_encoder(column_type: ColumnType) -> Convert:
    """Return how a value is made ready for the driver; it is never None."""
    return _converter(column_type, _ENCODE)


def column_decoder(column_type: ColumnType) -> Convert:
    """Return how a value of the driver becomes one of the model's; it is never None."""
    return _converter(column_type, _DECODE)


def clustering_codec(name: TypeName) -> tuple[Convert, Convert]:
    """Return how a clustering value is written and read."""
    if name is TypeName.UUID:
        return str, lambda text: UUID(cast(str, text))
    return _ENCODE.get(name, same), _DECODE.get(name, same)


def partition_codec(name: TypeName, *, alone: bool) -> tuple[Convert, Convert]:
    """Return how a partition key value is written and read.

    Args:
        name: The column's type.
        alone: Whether the partition key has no other column.
    """
    if alone and name is TypeName.STRING:
        return (
            lambda value: _lengthen(cast(str, value), "\x00"),
            lambda value: _shorten(cast(str, value), "\x00"),
        )
    if alone and name is TypeName.BYTES:
        return (
            lambda value: _lengthen(cast(bytes, value), b"\x00"),
            lambda value: _shorten(cast(bytes, value), b"\x00"),
        )
    return _ENCODE.get(name, same), _DECODE.get(name, same)


def _lengthen(value: str | bytes, zero: str | bytes) -> object:
    return value if value.strip(zero) else value + zero  # type: ignore[operator, arg-type]


def _shorten(value: str | bytes, zero: str | bytes) -> object:
    return value if value.strip(zero) else value[1:]  # type: ignore[arg-type]


def as_value(value: object) -> Value:
    """Say that a decoded value is one of the model's."""
    return cast(Value, value)
