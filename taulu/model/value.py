"""Column values as plain Python objects, and the types that columns declare."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias
from uuid import UUID

KeyValue: TypeAlias = bool | int | str | bytes | datetime | UUID
"""What a key column may hold: exact types with one order on every store."""

Value: TypeAlias = (
    "KeyValue | float | Decimal | array[float] | list[Value] | dict[str, Value] | None"
)
"""What any column may hold.

A timestamp is an aware `datetime` in UTC; a vector is an `array('f')`, so that
it is 32-bit from end to end. `None` clears a column and is never stored.
"""


class TypeName(Enum):
    """The names of column types, as table YAML spells them."""

    BOOL = "bool"
    INT64 = "int64"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    STRING = "string"
    BYTES = "bytes"
    TIMESTAMP = "timestamp"
    UUID = "uuid"
    VECTOR = "vector"
    LIST = "list"
    MAP = "map"


KEY_TYPES = frozenset(
    {
        TypeName.BOOL,
        TypeName.INT64,
        TypeName.STRING,
        TypeName.BYTES,
        TypeName.TIMESTAMP,
        TypeName.UUID,
    }
)
"""Types that a key column may have."""

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of one column, for instance `map<string,int64>`."""

    name: TypeName
    element: ColumnType | None = None
    """What a list or a map holds; None for every other type."""
    size: int = 0
    """How many elements a vector has; 0 for every other type."""

    def __str__(self) -> str:
        """Spell the type as table YAML does."""
        if self.name is TypeName.VECTOR:
            return f"vector<{self.size}>"
        if self.name is TypeName.LIST:
            return f"list<{self.element}>"
        if self.name is TypeName.MAP:
            return f"map<string,{self.element}>"
        return self.name.value
