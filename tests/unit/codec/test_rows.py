"""The row format is stored on disk: bytes are pinned, and every value comes back."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taulu.codec import RowCodec
from taulu.conformance.row_promises import ALL_TYPES
from taulu.conformance.tables import CONFORMANCE_TABLES
from taulu.model import Corrupt

CODEC = RowCodec(CONFORMANCE_TABLES[0])
PINNED = {
    "flag": "81a4666c6167c3",
    "count": "81a5636f756e74d38000000000000000",
    "ratio": "81a5726174696fcbbfb999999999999a",
    "price": "81a57072696365bc2d31323334353637383930313233343536373839302e303030313030",
    "at": "81a26174ff",
    "ref": "81a3726566d92430303131323233332d343435352d363637372d383839392d616162626363646465656666",
    "point": "81a5706f696e74c40c0000003f0000a0bf7684df50",
    "tags": "81a47461677394a0a162a161a162",
    "amounts": "81a7616d6f756e747382a000a178cf7fffffffffffffff",
}


@pytest.mark.parametrize("name", PINNED)
def test_each_type_has_its_bytes(name: str) -> None:
    assert CODEC.encode({name: ALL_TYPES[name]}).hex() == PINNED[name]


def test_rows_come_back_with_every_type() -> None:
    found = CODEC.decode(CODEC.encode(ALL_TYPES))
    assert found == ALL_TYPES
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in ALL_TYPES.items()}


def test_none_is_left_out_and_only_wanted_columns_are_decoded() -> None:
    data = CODEC.encode({"count": 1, "text": None, "flag": False})
    assert CODEC.decode(data) == {"count": 1, "flag": False}
    assert CODEC.decode(data, ("flag", "ratio")) == {"flag": False}


def test_a_column_that_the_table_no_longer_has_is_passed_over() -> None:
    data = msgspec.msgpack.encode({"count": 1, "old": 2})
    assert CODEC.decode(data) == {"count": 1}


@given(st.binary(max_size=60))
def test_garbage_is_corrupt_or_columns(data: bytes) -> None:
    try:
        columns = CODEC.decode(data)
    except Corrupt:
        return
    assert isinstance(columns, dict)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "price": st.decimals(allow_nan=False, allow_infinity=False, places=4),
            "at": st.datetimes(timezones=st.just(UTC)),
            "ref": st.uuids(),
            "point": st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3),
            "blob": st.binary(),
            "text": st.text(),
        },
    )
)
def test_any_row_comes_back(columns: dict) -> None:
    if "point" in columns:
        columns["point"] = array("f", columns["point"])
    assert CODEC.decode(CODEC.encode(columns)) == columns


def test_types_are_what_they_say() -> None:
    assert isinstance(ALL_TYPES["price"], Decimal)
    assert isinstance(ALL_TYPES["ref"], UUID)
    assert isinstance(ALL_TYPES["at"], datetime)
