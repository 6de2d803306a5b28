from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from taulu.cli.values import row_from_text, row_to_json, value_from_json
from taulu.model import InvalidArgument, Level
from taulu_client.table_info import ColumnInfo, TableInfo


def column(name: str, type_name: str, role: str = "data") -> ColumnInfo:
    return ColumnInfo(name, type_name, role)


COLUMNS = (
    column("id", "string", "partition"),
    column("price", "decimal"),
    column("prices", "list<decimal>"),
    column("ratio", "float64"),
    column("ratios", "map<string,float64>"),
    column("count", "int64"),
    column("point", "vector<2>"),
)


INFO = TableInfo("demo.all", "kv", COLUMNS, "embedded", (), Level.QUORUM, Level.QUORUM, None, {}, 0)


def row(text: str) -> dict[str, Any]:
    return row_from_text(INFO, text)


def test_a_decimal_given_as_a_number_keeps_its_digits():
    got = row('{"price": 12345678901234567.890, "prices": [1.10, "2.20", 3]}')
    assert str(got["price"]) == "12345678901234567.890"
    assert [str(price) for price in got["prices"]] == ["1.10", "2.20", "3"]


def test_other_numbers_with_fractions_are_plain_floats():
    got = row('{"ratio": 1.5, "ratios": {"a": 1e3}, "count": 1.5, "point": [0.5, 1]}')
    assert [type(got[name]) for name in ("ratio", "count")] == [float, float]
    assert type(got["ratios"]["a"]) is float
    assert list(got["point"]) == [0.5, 1.0]


def test_floats_that_json_lacks_are_written_as_strings_and_read_back():
    ratios = {"a": math.inf, "b": -math.inf, "c": 1.0}
    written = json.dumps(row_to_json({"ratio": math.nan, "ratios": ratios}), allow_nan=False)
    again = row(written)
    assert math.isnan(again["ratio"])
    assert again["ratios"] == ratios


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"ratio": NaN}', 'write "NaN"'),
        ('{"id": "a", "id": "b"}', "stands twice"),
        ('{"price": "ten"}', r"write it like '12\.50'"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_would_be_taken_in_silence_is_refused(text: str, says: str):
    with pytest.raises(InvalidArgument, match=says):
        row(text)


def test_a_decimal_that_is_text_is_taken_as_it_is():
    assert value_from_json(COLUMNS[1], "1.50") == Decimal("1.50")
