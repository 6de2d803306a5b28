"""Values against column types: one small function per type, chosen when the table is loaded."""

from __future__ import annotations

import difflib
import math
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from taulu.model.errors import InvalidArgument
from taulu.model.table import Column, Table
from taulu.model.value import INT64_MAX, INT64_MIN, ColumnType, TypeName, Value

DECIMAL_DIGITS_MAX = 38
"""As in the stores: a decimal has at most this many digits, and as large an exponent."""

_WORD_CHARS_MAX = 128
"""Looking for the word that is nearest to one of millions of characters would take seconds."""

_Check = Callable[[object], Value]


class _Misfit(ValueError):
    """A value that its type does not take; the message says why."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known word, or all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word[:_WORD_CHARS_MAX], words, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(words) or 'none'}"


def key_checks(columns: tuple[Column, ...]) -> tuple[ColumnCheck, ...]:
    """Return the checks of key columns, in key order."""
    return tuple(ColumnCheck(column) for column in columns)


@dataclass(frozen=True)
class ColumnCheck:
    """Checks values of one column and brings them to the column's own type."""

    column: Column

    @cached_property
    def _check(self) -> _Check:
        return _compile(self.column.type)

    def __call__(self, table: Table, value: object) -> Value:
        """Return the value in the column's type.

        Raises:
            InvalidArgument: The type does not take it; the message names column and type.
        """
        try:
            return self._check(value)
        except _Misfit as error:
            raise InvalidArgument(
                f"{table.full_name}: column {self.column.name!r} is {self.column.type}, {error}",
                details={
                    "table": table.full_name,
                    "column": self.column.name,
                    "type": str(self.column.type),
                },
            ) from error


def _exactly(wanted: type) -> _Check:
    def check(value: object) -> Value:
        if type(value) is not wanted:
            raise _misfit(value)
        return cast(Value, value)

    return check


def _misfit(value: object) -> _Misfit:
    return _Misfit(f"but a value of type {_NAMES.get(type(value), type(value).__name__)} was sent")


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int64",
    float: "float64",
    Decimal: "decimal",
    str: "string",
    bytes: "bytes",
    datetime: "timestamp",
    UUID: "uuid",
    array: "vector",
    list: "list",
    dict: "map",
    type(None): "null",
}


def _int64(value: object) -> Value:
    if type(value) is not int:
        raise _misfit(value)
    if not INT64_MIN <= value <= INT64_MAX:
        raise _Misfit(f"which {value} does not fit")
    return value


def _float64(value: object) -> Value:
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    if type(value) is not float:
        raise _misfit(value)
    return value


def _decimal(value: object) -> Value:
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise _misfit(value)
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise _Misfit(f"which has no {value}; send a finite number")
    if len(digits) > DECIMAL_DIGITS_MAX or abs(exponent) > DECIMAL_DIGITS_MAX:
        raise _Misfit(f"which takes at most {DECIMAL_DIGITS_MAX} digits")
    return value


def _timestamp(value: object) -> Value:
    if not isinstance(value, datetime):
        raise _misfit(value)
    if value.tzinfo is None:
        raise _Misfit("but a time without a zone was sent; send an aware one, in UTC")
    return value.astimezone(UTC)


def _vector(size: int) -> _Check:
    def check(value: object) -> Value:
        if isinstance(value, array):
            vector = cast("array[float]", value)
        elif isinstance(value, list):
            vector = _vector_from(cast("list[object]", value))
        else:
            raise _misfit(value)
        if len(vector) != size:
            raise _Misfit(f"but a vector of {len(vector)} was sent")
        if not all(map(math.isfinite, vector)):
            raise _Misfit("which takes no NaN and nothing past the range of 32-bit floats")
        return vector

    return check


def _vector_from(values: list[object]) -> array[float]:
    if not all(type(v) in (float, int) for v in values):
        raise _Misfit("but not all of its elements are numbers")
    return array("f", cast("list[float]", values))


def _list(element: _Check) -> _Check:
    def check(value: object) -> Value:
        if not isinstance(value, list):
            raise _misfit(value)
        return [element(v) for v in cast("list[object]", value)]

    return check


def _map(element: _Check) -> _Check:
    def check(value: object) -> Value:
        if not isinstance(value, dict):
            raise _misfit(value)
        return {key: element(v) for key, v in cast("dict[str, Any]", value).items()}

    return check


_SCALARS: dict[TypeName, _Check] = {
    TypeName.BOOL: _exactly(bool),
    TypeName.INT64: _int64,
    TypeName.FLOAT64: _float64,
    TypeName.DECIMAL: _decimal,
    TypeName.STRING: _exactly(str),
    TypeName.BYTES: _exactly(bytes),
    TypeName.TIMESTAMP: _timestamp,
    TypeName.UUID: _exactly(UUID),
}


def _compile(column_type: ColumnType) -> _Check:
    if column_type.name is TypeName.VECTOR:
        return _vector(column_type.size)
    if column_type.element is not None:
        element = _compile(column_type.element)
        return _list(element) if column_type.name is TypeName.LIST else _map(element)
    return _SCALARS[column_type.name]
