"""Values, keys and rows between messages and the model."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from taulu.codec import timestamp_from_us, timestamp_to_us
from taulu.model.errors import InvalidArgument
from taulu.model.row import Bound, ClusteringRange, Key, Row
from taulu.model.value import KeyValue, Value
from taulu.v1 import data_pb2, value_pb2

DEPTH_MAX = 8
"""How deep lists and maps may nest in a request."""

_DECIMAL_ZEROS_MAX = 100
_SECONDS_MIN = -62_135_596_800
_SECONDS_MAX = 253_402_300_799


def timestamp_us(message: Timestamp) -> int:
    """Return microseconds since 1970.

    Raises:
        InvalidArgument: It is finer than a microsecond, or outside the years 1 to 9999.
    """
    if not (_SECONDS_MIN <= message.seconds <= _SECONDS_MAX and 0 <= message.nanos < 10**9):
        raise InvalidArgument("a timestamp lies outside the years 1 to 9999")
    if message.nanos % 1_000:
        raise InvalidArgument(
            f"a timestamp has {message.nanos} nanoseconds, but columns keep microseconds; "
            "cut it to microseconds, so that what is read back equals what was sent"
        )
    return message.seconds * 1_000_000 + message.nanos // 1_000


def timestamp_message(value_us: int) -> Timestamp:
    """Return microseconds since 1970 as a message."""
    seconds, rest = divmod(value_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def duration_us(message: Duration) -> int:
    """Return microseconds, rounded up, so that no wait or bound gets shorter."""
    return message.seconds * 1_000_000 + -(-message.nanos // 1_000)


def duration_message(value_us: int) -> Duration:
    """Return microseconds as a message."""
    seconds, rest = divmod(value_us, 1_000_000)
    return Duration(seconds=seconds, nanos=rest * 1_000)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidArgument(f"{text[:64]!r} is no decimal; write it like '12.50'") from error


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidArgument(f"{text[:64]!r} is no UUID; write its 36 characters") from error


def _plain(value: object) -> Value:
    return cast(Value, value)


_FROM: dict[str, Callable[[Any], Value]] = {
    "bool_value": _plain,
    "int64_value": _plain,
    "float64_value": _plain,
    "string_value": _plain,
    "bytes_value": _plain,
    "decimal_value": _decimal,
    "uuid_value": _uuid,
    "timestamp_value": lambda message: timestamp_from_us(timestamp_us(message)),
    "vector_value": lambda message: array("f", message.values),
}


def value_from(message: value_pb2.Value, depth: int = 0) -> Value:
    """Return a plain value; None for a Value without a kind.

    Raises:
        InvalidArgument: The text or time in it is malformed, or it nests too deep.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        return None
    convert = _FROM.get(kind)
    if convert is not None:
        return convert(getattr(message, kind))
    if depth >= DEPTH_MAX:
        raise _too_deep()
    if kind == "list_value":
        return [value_from(element, depth + 1) for element in message.list_value.values]
    items = message.map_value.values.items()
    return {name: value_from(element, depth + 1) for name, element in items}


_TO: dict[type, Callable[[Any], value_pb2.Value]] = {
    bool: lambda v: value_pb2.Value(bool_value=v),
    int: lambda v: value_pb2.Value(int64_value=v),
    float: lambda v: value_pb2.Value(float64_value=v),
    str: lambda v: value_pb2.Value(string_value=v),
    bytes: lambda v: value_pb2.Value(bytes_value=v),
    Decimal: lambda v: value_pb2.Value(decimal_value=_decimal_text(v)),
    UUID: lambda v: value_pb2.Value(uuid_value=str(v)),
    datetime: lambda v: value_pb2.Value(timestamp_value=timestamp_message(timestamp_to_us(v))),
    array: lambda v: value_pb2.Value(vector_value=value_pb2.Vector(values=v)),
}


def _decimal_text(value: Decimal) -> str:
    """Write a decimal in plain notation, unless that would take more zeros than any column."""
    return format(value, "f") if abs(value.adjusted()) <= _DECIMAL_ZEROS_MAX else str(value)


def value_message(value: Value, depth: int = 0) -> value_pb2.Value:
    """Return a value as a message; None is a Value without a kind.

    Raises:
        InvalidArgument: It is of a type that no column has, an int outside 64 bits, or nests
            too deep.
    """
    if value is None:
        return value_pb2.Value()
    if isinstance(value, list | dict):
        return _nested_message(value, depth)
    convert = _TO.get(type(value))
    if convert is None:
        kinds = ", ".join(kind.__name__ for kind in (*_TO, list, dict))
        raise InvalidArgument(
            f"a value of type {type(value).__name__} cannot be sent; use {kinds} or None"
        )
    try:
        return convert(value)
    except (ValueError, TypeError, UnicodeError) as error:
        raise InvalidArgument(
            f"a value of type {type(value).__name__} cannot be sent: {error}"
        ) from error


def _nested_message(value: list[Value] | dict[str, Value], depth: int) -> value_pb2.Value:
    if depth >= DEPTH_MAX:
        raise _too_deep()
    if isinstance(value, list):
        elements = [value_message(element, depth + 1) for element in value]
        return value_pb2.Value(list_value=value_pb2.ListValue(values=elements))
    items = {name: value_message(element, depth + 1) for name, element in value.items()}
    try:
        return value_pb2.Value(map_value=value_pb2.MapValue(values=items))
    except (TypeError, UnicodeError) as error:
        raise InvalidArgument(f"a map with other keys than text cannot be sent: {error}") from error


def _too_deep() -> InvalidArgument:
    return InvalidArgument(f"a value nests deeper than {DEPTH_MAX} levels; flatten it")


def key_values_from(messages: Iterable[value_pb2.Value]) -> tuple[KeyValue, ...]:
    """Return key values; the pipeline checks their number and types."""
    return tuple(cast(KeyValue, value_from(message)) for message in messages)


def key_from(message: value_pb2.Key) -> Key:
    """Return a key."""
    return Key(key_values_from(message.partition), key_values_from(message.clustering))


def key_message(key: Key) -> value_pb2.Key:
    """Return a key as a message."""
    return value_pb2.Key(
        partition=[value_message(value) for value in key.partition],
        clustering=[value_message(value) for value in key.clustering],
    )


def columns_from(messages: Mapping[str, value_pb2.Value]) -> dict[str, Value]:
    """Return columns by name."""
    return {name: value_from(message) for name, message in messages.items()}


def columns_message(columns: Mapping[str, Value]) -> dict[str, value_pb2.Value]:
    """Return columns by name as messages."""
    return {name: value_message(value) for name, value in columns.items()}


def row_message(row: Row) -> value_pb2.Row:
    """Return a row as a message."""
    return value_pb2.Row(
        key=key_message(row.key),
        columns=columns_message(row.columns),
        version=row.version,
        expire_time=None if row.expire_us is None else timestamp_message(row.expire_us),
    )


def range_from(message: data_pb2.ClusteringRange) -> ClusteringRange:
    """Return a clustering range; what is not set is unbounded."""
    return ClusteringRange(
        start=_bound(message.start) if message.HasField("start") else None,
        end=_bound(message.end) if message.HasField("end") else None,
    )


def _bound(message: data_pb2.ClusteringBound) -> Bound:
    return Bound(key_values_from(message.prefix), message.exclusive)


def row_from(message: value_pb2.Row) -> Row:
    """Return a row."""
    return Row(
        key_from(message.key),
        columns_from(message.columns),
        message.version,
        timestamp_us(message.expire_time) if message.HasField("expire_time") else None,
    )


def range_message(stretch: ClusteringRange) -> data_pb2.ClusteringRange:
    """Return a clustering range as a message."""
    return data_pb2.ClusteringRange(
        start=None if stretch.start is None else _bound_message(stretch.start),
        end=None if stretch.end is None else _bound_message(stretch.end),
    )


def _bound_message(bound: Bound) -> data_pb2.ClusteringBound:
    prefix = [value_message(value) for value in bound.prefix]
    return data_pb2.ClusteringBound(prefix=prefix, exclusive=bound.exclusive)


def required(message: Message, field: str) -> None:
    """Refuse a message in which a field is not set."""
    if not message.HasField(field):
        raise InvalidArgument(f"{message.DESCRIPTOR.name}.{field} is required; set it")
