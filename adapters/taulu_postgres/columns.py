"""Column types as PostgreSQL's own, and values to and from what the driver takes and gives.

| Taulu | PostgreSQL | |
|---|---|---|
| bool, int64, float64 | boolean, bigint, double precision | |
| decimal | numeric | without precision, so that the scale comes back |
| string | text | NUL escaped, see `escape` |
| bytes, uuid | bytea, uuid | |
| timestamp | timestamptz | microseconds, UTC |
| vector<n> | real[] | |
| list<T> of the above but vectors | T[] | |
| map, and lists of lists, maps or vectors | jsonb | see `documents` |
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from taulu.codec import timestamp_from_us, timestamp_to_us
from taulu.model import ColumnType, TypeName
from taulu_postgres.documents import from_json, to_json
from taulu_postgres.escape import escape, unescape

_Convert = Callable[[Any], Any]

_SCALARS = {
    TypeName.BOOL: "boolean",
    TypeName.INT64: "bigint",
    TypeName.FLOAT64: "double precision",
    TypeName.DECIMAL: "numeric",
    TypeName.STRING: "text",
    TypeName.BYTES: "bytea",
    TypeName.TIMESTAMP: "timestamptz",
    TypeName.UUID: "uuid",
}

_EXPIRE_US_MAX = timestamp_to_us(datetime.max.replace(tzinfo=timestamp_from_us(0).tzinfo))


def _same(value: Any) -> Any:  # noqa: ANN401 - it passes anything on
    return value


def _vector(values: list[float]) -> array[float]:
    return array("f", values)


@dataclass(frozen=True, slots=True)
class SqlType:
    """How values of one column type are stored."""

    name: str
    """PostgreSQL's type, as in a cast."""
    encode: _Convert
    """To what the driver takes."""
    decode: _Convert
    """From what the driver gives."""
    is_document: bool = False
    """Read as text, since the driver's own decoding of jsonb rounds numbers."""

    def selected(self, column: str) -> str:
        """Return the column, or what is made of it, as an expression of a SELECT."""
        return f"{column}::text" if self.is_document else column


def sql_type(column_type: ColumnType) -> SqlType:
    """Return how a column type is stored."""
    if column_type.name is TypeName.STRING:
        return SqlType("text", escape, unescape)
    if column_type.name is TypeName.VECTOR:
        return SqlType("real[]", list, _vector)
    if column_type.element is None:
        return SqlType(_SCALARS[column_type.name], _same, _same)
    element = column_type.element
    if column_type.name is TypeName.LIST and element.name in _SCALARS:
        held = sql_type(element)
        if element.name is TypeName.STRING:
            return SqlType("text[]", _each(escape), _each(unescape))
        return SqlType(f"{held.name}[]", list, list)
    return SqlType(
        "jsonb",
        lambda value: to_json(column_type, value),
        lambda text: from_json(column_type, text),
        is_document=True,
    )


def _each(convert: Callable[[str], str]) -> _Convert:
    return lambda values: [convert(value) for value in cast("list[str]", values)]


def expire_time(expire_us: int | None) -> datetime | None:
    """Return an expiry as it is stored; one beyond the year 9999 is its last microsecond."""
    return None if expire_us is None else timestamp_from_us(min(expire_us, _EXPIRE_US_MAX))


def expire_us(stored: datetime | None) -> int | None:
    """Return a stored expiry in microseconds since 1970."""
    return None if stored is None else timestamp_to_us(stored)
