"""Column types as table YAML spells them."""

from __future__ import annotations

import re

from taulu.model.value import ColumnType, TypeName
from taulu.schema.problems import nearest

VECTOR_SIZE_MAX = 16_384
TYPE_DEPTH_MAX = 4

SPELLINGS = (
    "bool",
    "int64",
    "float64",
    "decimal",
    "string",
    "bytes",
    "timestamp",
    "uuid",
    "vector<n>",
    "list<T>",
    "map<string,T>",
)
"""Every type, as it is written."""

_SCALARS = {
    name.value: ColumnType(name)
    for name in TypeName
    if name not in (TypeName.VECTOR, TypeName.LIST, TypeName.MAP)
}
_VECTOR = re.compile(r"vector<(\d{1,9})>")
_LIST = re.compile(r"list<(.+)>")
_MAP = re.compile(r"map<string,(.+)>")


def parse_type(text: str, depth: int = 0) -> ColumnType:
    """Return a column type.

    Raises:
        ValueError: It is none; the message names the nearest one.
    """
    squeezed = text.replace(" ", "")
    scalar = _SCALARS.get(squeezed)
    if scalar is not None:
        return scalar
    if depth >= TYPE_DEPTH_MAX:
        raise ValueError(f"type {text!r} nests deeper than {TYPE_DEPTH_MAX} levels")
    if match := _VECTOR.fullmatch(squeezed):
        size = int(match[1])
        if not 1 <= size <= VECTOR_SIZE_MAX:
            raise ValueError(f"a vector has 1 to {VECTOR_SIZE_MAX} elements, not {size}")
        return ColumnType(TypeName.VECTOR, size=size)
    if match := _LIST.fullmatch(squeezed):
        return ColumnType(TypeName.LIST, element=parse_type(match[1], depth + 1))
    if match := _MAP.fullmatch(squeezed):
        return ColumnType(TypeName.MAP, element=parse_type(match[1], depth + 1))
    raise ValueError(f"no column type is called {text!r}; {nearest(text, SPELLINGS)}")
