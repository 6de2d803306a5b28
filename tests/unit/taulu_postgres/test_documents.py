from __future__ import annotations

import math
from array import array
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from taulu.model import ColumnType, Corrupt, TypeName, Value
from taulu_postgres.documents import from_json, to_json


def mapped(name: TypeName, size: int = 0) -> ColumnType:
    return ColumnType(TypeName.MAP, element=ColumnType(name, size=size))


PINNED: list[tuple[TypeName, Value, str]] = [
    (TypeName.BOOL, True, "true"),
    (TypeName.INT64, -(2**63), "-9223372036854775808"),
    (TypeName.FLOAT64, 0.1, "0.1"),
    (TypeName.FLOAT64, -0.0, '"-0.0"'),
    (TypeName.FLOAT64, math.inf, '"inf"'),
    (TypeName.DECIMAL, Decimal("1.000"), "1.000"),
    (TypeName.DECIMAL, Decimal("1E-7"), "0.0000001"),
    (TypeName.STRING, 'a"\x00\n\u00e9', '"a\\"\\u0001\\u0001\\n\u00e9"'),
    (TypeName.BYTES, b"\x00\xff", '"\\\\x00ff"'),
    (
        TypeName.TIMESTAMP,
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        '"1969-12-31T23:59:59.999999+00:00"',
    ),
    (TypeName.UUID, UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (TypeName.VECTOR, array("f", [0.5, -1.25]), "[0.5,-1.25]"),
]


@pytest.mark.parametrize(("name", "value", "text"), PINNED)
def test_documents_stay_what_they_are(name: TypeName, value: Value, text: str) -> None:
    column_type = mapped(name, size=2 if name is TypeName.VECTOR else 0)
    assert to_json(column_type, {"k": value}) == f'{{"k":{text}}}'
    read = from_json(column_type, f'{{"k": {text}}}')["k"]
    assert (read, type(read), repr(read)) == (value, type(value), repr(value))


def test_a_float_that_is_no_number_comes_back() -> None:
    text = to_json(mapped(TypeName.FLOAT64), {"k": math.nan})
    assert math.isnan(from_json(mapped(TypeName.FLOAT64), text)["k"])


@pytest.mark.parametrize("text", ["", "[]", '{"k": "x"}', '{"k": null}', "{"])
def test_a_damaged_document_is_corrupt(text: str) -> None:
    with pytest.raises(Corrupt):
        from_json(mapped(TypeName.INT64), text)
