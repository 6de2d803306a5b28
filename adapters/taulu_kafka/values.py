"""Column values in JSON, so that `kcat`, Spark and every consumer read them without Taulu.

bool, int64 and string stand for themselves; int64 beyond 2^53 is exact as written, but some
JSON readers round it. float64 is a number, or the string NaN, Infinity or -Infinity. decimal is a
string in plain notation, uuid and bytes (base64) are strings, a timestamp is a string in UTC
with microseconds, a vector an array of numbers. The format is stored and pinned by tests.
"""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias, cast
from uuid import UUID

from taulu.model import INT64_MAX, INT64_MIN, ColumnType, TypeName

Convert: TypeAlias = Callable[[object], object]


def _write_float(value: object) -> object:
    number = cast(float, value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _read_float(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        raise _not_a("float64", data)
    if isinstance(data, str) and data not in ("NaN", "Infinity", "-Infinity"):
        raise _not_a("float64", data)
    return float(data)


def _read_bool(data: object) -> bool:
    if not isinstance(data, bool):
        raise _not_a("bool", data)
    return data


def _read_int(data: object) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or not INT64_MIN <= data <= INT64_MAX:
        raise _not_a("int64", data)
    return data


def _read_string(data: object) -> str:
    if not isinstance(data, str):
        raise _not_a("string", data)
    return data


def _write_time(value: object) -> str:
    moment = cast(datetime, value).astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _read_time(data: object) -> datetime:
    moment = datetime.fromisoformat(_read_string(data))
    if moment.tzinfo is None:
        raise _not_a("timestamp with a zone", data)
    return moment.astimezone(UTC)


def _read_list(data: object) -> list[object]:
    if not isinstance(data, list):
        raise _not_a("list", data)
    return cast("list[object]", data)


def _not_a(kind: str, data: object) -> ValueError:
    return ValueError(f"{data!r:.80} is no {kind}")


_WRITE: dict[TypeName, Convert] = {
    TypeName.FLOAT64: _write_float,
    TypeName.DECIMAL: lambda value: format(cast(Decimal, value), "f"),
    TypeName.UUID: str,
    TypeName.BYTES: lambda value: base64.b64encode(cast(bytes, value)).decode(),
    TypeName.TIMESTAMP: _write_time,
    TypeName.VECTOR: lambda value: [_write_float(item) for item in cast("array[float]", value)],
}

_READ: dict[TypeName, Convert] = {
    TypeName.BOOL: _read_bool,
    TypeName.INT64: _read_int,
    TypeName.STRING: _read_string,
    TypeName.FLOAT64: _read_float,
    TypeName.DECIMAL: lambda data: Decimal(_read_string(data)),
    TypeName.UUID: lambda data: UUID(_read_string(data)),
    TypeName.BYTES: lambda data: base64.b64decode(_read_string(data), validate=True),
    TypeName.TIMESTAMP: _read_time,
    TypeName.VECTOR: lambda data: array("f", [_read_float(item) for item in _read_list(data)]),
}


def writer(column_type: ColumnType) -> Convert | None:
    """Compile how values of a type are written; None when they stand for themselves."""
    if column_type.element is None:
        return _WRITE.get(column_type.name)
    element = writer(column_type.element)
    if element is None:
        return None
    if column_type.name is TypeName.LIST:
        return lambda values: [element(item) for item in cast("list[object]", values)]
    return lambda values: {k: element(v) for k, v in cast("dict[str, object]", values).items()}


def reader(column_type: ColumnType) -> Convert:
    """Compile how values of a type are read; what is read raises `ValueError` when it is none."""
    if column_type.element is None:
        return _READ[column_type.name]
    element = reader(column_type.element)
    if column_type.name is TypeName.LIST:
        return lambda data: [element(item) for item in _read_list(data)]

    def read_map(data: object) -> dict[str, object]:
        if not isinstance(data, dict):
            raise _not_a("map", data)
        return {k: element(v) for k, v in cast("dict[str, object]", data).items()}

    return read_map
