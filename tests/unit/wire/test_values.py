from __future__ import annotations

from array import array
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from taulu.model import INT64_MAX, INT64_MIN, InvalidArgument
from taulu.v1 import value_pb2 as pb
from taulu.wire.values import DEPTH_MAX, value_from, value_message

scalars = st.one_of(
    st.booleans(),
    st.integers(INT64_MIN, INT64_MAX),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.floats(width=32, allow_nan=False)).map(lambda v: array("f", v)),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_values_come_back_as_they_were_with_their_type(value: Any):
    message = pb.Value.FromString(value_message(value).SerializeToString())
    again = value_from(message)
    assert again == value
    assert type(again) is type(value)


def test_digits_of_a_decimal_are_kept():
    assert str(value_from(value_message(Decimal("1.500")))) == "1.500"


def test_no_kind_is_null():
    assert value_from(pb.Value()) is None


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (pb.Value(decimal_value="ten"), "no decimal"),
        (pb.Value(uuid_value="nope"), "no UUID"),
        (pb.Value(timestamp_value=Timestamp(nanos=1)), "microseconds"),
        (pb.Value(timestamp_value=Timestamp(seconds=2**60)), "years 1 to 9999"),
        (pb.Value(timestamp_value=Timestamp(nanos=-1)), "years 1 to 9999"),
    ],
)
def test_malformed_values_are_refused(message: pb.Value, says: str):
    with pytest.raises(InvalidArgument, match=says):
        value_from(message)


def test_deep_nesting_is_refused_before_it_can_hurt():
    deep = pb.Value(int64_value=1)
    for _ in range(DEPTH_MAX):
        deep = pb.Value(list_value=pb.ListValue(values=[deep]))
    value_from(deep)
    with pytest.raises(InvalidArgument, match="nests deeper"):
        value_from(pb.Value(list_value=pb.ListValue(values=[deep])))


def test_the_ends_of_time_are_kept():
    for when in (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ):
        assert value_from(value_message(when)) == when


def test_a_uuid_is_written_in_its_canonical_form():
    uuid = UUID("12345678-1234-5678-1234-567812345678")
    assert value_message(uuid).uuid_value == str(uuid)


def test_what_nests_too_deep_is_refused_before_it_is_sent():
    value: Any = 1
    for _ in range(DEPTH_MAX):
        value = {"in": [value]} if isinstance(value, int) else [value]
    with pytest.raises(InvalidArgument, match="nests deeper"):
        value_message(value)


@pytest.mark.parametrize("exponent", [99_999_999, -99_999_999])
def test_a_decimal_that_no_column_takes_is_sent_in_few_bytes(exponent: int):
    value = Decimal(f"1e{exponent}")
    message = value_message(value)
    assert message.ByteSize() < 100
    assert value_from(message) == value


def test_a_map_with_other_keys_than_text_is_refused():
    numbered: Any = {1: 2}
    with pytest.raises(InvalidArgument, match="other keys than text"):
        value_message(numbered)
