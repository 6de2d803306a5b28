r"""Maps and nested lists as JSON that a person can read and that loses nothing.

What JSON lacks is written by the type that the table declares: integers and decimals as JSON
numbers (jsonb keeps them exactly, trailing zeros included), floats too but for those that no
JSON number or no numeric can be, bytes as `\\x…`, timestamps and uuids as text, text with NUL
escaped. The format is stored and pinned by tests.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from taulu.model import ColumnType, Corrupt, TypeName
from taulu_postgres.escape import escape, unescape


def to_json(column_type: ColumnType, value: Any) -> str:  # noqa: ANN401 - any value of the type
    """Return a value as JSON text."""
    match column_type.name:
        case TypeName.LIST:
            element = _element(column_type)
            return "[" + ",".join(to_json(element, held) for held in value) + "]"
        case TypeName.VECTOR:
            return "[" + ",".join(_float_text(held) for held in value) + "]"
        case TypeName.MAP:
            element = _element(column_type)
            pairs = (
                f"{_quoted(name)}:{to_json(element, held)}"
                for name, held in cast("dict[str, Any]", value).items()
            )
            return "{" + ",".join(pairs) + "}"
        case _:
            return _WRITE[column_type.name](value)


def from_json(column_type: ColumnType, text: str) -> Any:  # noqa: ANN401 - any value of the type
    """Return the value of JSON text.

    Raises:
        Corrupt: It is no value of the type.
    """
    try:
        return _read(column_type, json.loads(text, parse_float=Decimal))
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise Corrupt(f"a stored {column_type} cannot be read: {error}") from error


def _read(column_type: ColumnType, parsed: Any) -> Any:  # noqa: ANN401 - any value of the type
    match column_type.name:
        case TypeName.LIST:
            element = _element(column_type)
            return [_read(element, held) for held in parsed]
        case TypeName.VECTOR:
            return array("f", [float(held) for held in parsed])
        case TypeName.MAP:
            element = _element(column_type)
            pairs = cast("dict[str, Any]", parsed).items()
            return {unescape(name): _read(element, held) for name, held in pairs}
        case _:
            return _READ[column_type.name](parsed)


def _element(column_type: ColumnType) -> ColumnType:
    return cast(ColumnType, column_type.element)


def _quoted(text: str) -> str:
    return json.dumps(escape(text), ensure_ascii=False)


def _float_text(value: float) -> str:
    # jsonb keeps numbers as numeric, which has no sign of zero.
    is_plain = math.isfinite(value) and not (value == 0 and math.copysign(1, value) < 0)
    return repr(float(value)) if is_plain else f'"{value}"'


_WRITE: dict[TypeName, Callable[[Any], str]] = {
    TypeName.BOOL: lambda value: "true" if value else "false",
    TypeName.INT64: str,
    TypeName.FLOAT64: _float_text,
    TypeName.DECIMAL: lambda value: format(value, "f"),
    TypeName.STRING: _quoted,
    TypeName.BYTES: lambda value: f'"\\\\x{value.hex()}"',
    TypeName.TIMESTAMP: lambda value: f'"{value.astimezone(UTC).isoformat()}"',
    TypeName.UUID: lambda value: f'"{value}"',
}

_READ: dict[TypeName, Callable[[Any], Any]] = {
    TypeName.BOOL: bool,
    TypeName.INT64: int,
    TypeName.FLOAT64: float,
    TypeName.DECIMAL: Decimal,
    TypeName.STRING: unescape,
    TypeName.BYTES: lambda text: bytes.fromhex(text.removeprefix("\\x")),
    TypeName.TIMESTAMP: datetime.fromisoformat,
    TypeName.UUID: UUID,
}
