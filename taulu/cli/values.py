"""Column values as JSON and as words of a command line, by the type of their column.

In JSON, decimals, UUIDs and timestamps (ISO 8601) are strings, bytes are base64 and vectors are
lists of numbers; floats that JSON lacks are the strings NaN, Infinity and -Infinity; all else is
as it is. A decimal may be given as a number too, and keeps its digits.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from array import array
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Self, cast
from uuid import UUID

from taulu.model.errors import InvalidArgument
from taulu.model.value import KeyValue, Value
from taulu_client.table_info import ColumnInfo, TableInfo

_JSON_LACKS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def to_json(value: Value) -> object:
    """Return a value as JSON has it."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            return format(value, "f")
        case float() if not math.isfinite(value):
            return _JSON_LACKS[str(value)]
        case UUID():
            return str(value)
        case array():
            return list(value)
        case list():
            return [to_json(element) for element in value]
        case dict():
            return {name: to_json(element) for name, element in value.items()}
        case _:
            return value


def row_to_json(row: Mapping[str, Value]) -> dict[str, object]:
    """Return a row as JSON has it."""
    return {name: to_json(value) for name, value in row.items()}


def _timestamp(text: object) -> Value:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError("it has no time zone; end it with Z for UTC")
    return moment.astimezone(UTC)


def _bytes(text: object) -> Value:
    return base64.b64decode(str(text), validate=True)


class _Number(float):
    """A number with a fraction, and how it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


def _decimal(given: object) -> Value:
    try:
        return Decimal(given.text if isinstance(given, _Number) else str(given))
    except InvalidOperation as error:
        raise ValueError("write it like '12.50'") from error


def _float(given: object) -> Value:
    if isinstance(given, str) and given in _JSON_LACKS.values():
        return float(given)
    return float(given) if isinstance(given, float) else cast(Value, given)


_FROM_JSON: dict[str, Callable[[object], Value]] = {
    "decimal": _decimal,
    "float64": _float,
    "uuid": lambda given: UUID(str(given)),
    "timestamp": _timestamp,
    "bytes": _bytes,
    "vector": lambda given: array("f", [float(v) for v in cast("list[float]", given)]),
}
_FROM_WORD: dict[str, Callable[[str], KeyValue]] = {
    "bool": lambda word: {"true": True, "false": False}[word.lower()],
    "int64": int,
    "string": str,
    "uuid": UUID,
    "timestamp": lambda word: cast(KeyValue, _timestamp(word)),
    "bytes": lambda word: cast(KeyValue, _bytes(word)),
}
_WRONG = (ValueError, KeyError, TypeError, OverflowError, binascii.Error)


def value_from_json(column: ColumnInfo, given: object) -> Value:
    """Return a value of a column's type.

    Raises:
        InvalidArgument: It cannot be one.
    """
    if given is None:
        return None
    try:
        return _typed(column.type, given)
    except _WRONG as error:
        raise InvalidArgument(
            f"column {column.name} is of type {column.type}, which {given!r} is not: {error}"
        ) from error


def _typed(type_name: str, given: object) -> Value:
    name, _, inner = type_name.partition("<")
    inner = inner.removesuffix(">")
    if name == "list" and isinstance(given, list):
        return [_typed(inner, element) for element in cast("list[object]", given)]
    if name == "map" and isinstance(given, dict):
        element = inner.partition(",")[2]
        items = cast("dict[str, object]", given).items()
        return {key: _typed(element, value) for key, value in items}
    convert = _FROM_JSON.get(name)
    if convert is None and isinstance(given, _Number):
        return float(given)
    return cast(Value, given) if convert is None else convert(given)


def row_from_json(info: TableInfo, given: object) -> dict[str, Value]:
    """Return a row from a JSON object.

    Raises:
        InvalidArgument: It is no object, or a value is not of its column's type.
    """
    if not isinstance(given, dict):
        raise InvalidArgument('a row is a JSON object, like \'{"user_id": "ada"}\'')
    columns = {column.name: column for column in info.columns}
    row: dict[str, Value] = {}
    for name, value in cast("dict[str, object]", given).items():
        # An unknown name is left for the client, which knows the nearest one.
        known = columns.get(name)
        row[name] = cast(Value, value) if known is None else value_from_json(known, value)
    return row


def _refuse(constant: str) -> object:
    raise ValueError(f'{constant} is no JSON; write "{constant}"')


def _mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def row_from_text(info: TableInfo, text: str) -> dict[str, Value]:
    """Return a row from JSON text."""
    try:
        given: object = json.loads(
            text, parse_float=_Number, parse_constant=_refuse, object_pairs_hook=_mapping
        )
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"a row is a JSON object, but this is no JSON: {error}") from error
    return row_from_json(info, given)


def key_from_words(info: TableInfo, words: list[str], role: str) -> tuple[KeyValue, ...]:
    """Return key values from words of a command line, in the order of the key.

    Args:
        info: The table.
        words: One per value; a prefix of the key will do where the call takes one.
        role: The first letters of the roles of the columns: `partition`, `clustering` or "".

    Raises:
        InvalidArgument: A word cannot be a value of its column's type.
    """
    columns = [c for c in info.columns if c.role != "data" and c.role.startswith(role)]
    if len(words) > len(columns):
        names = ", ".join(column.name for column in columns) or "none"
        raise InvalidArgument(f"{info.name} takes key values for {names}, not {len(words)} of them")
    values: list[KeyValue] = []
    for column, word in zip(columns, words, strict=False):
        try:
            values.append(_FROM_WORD[column.type](word))
        except _WRONG as error:
            raise InvalidArgument(
                f"key column {column.name} is of type {column.type}, which {word!r} is not"
            ) from error
    return tuple(values)
