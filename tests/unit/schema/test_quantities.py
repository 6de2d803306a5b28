from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taulu.model import ColumnType, TypeName
from taulu.schema import parse_duration, parse_size
from taulu.schema.columns import parse_type


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1us", 1),
        ("250ms", 250_000),
        ("30s", 30_000_000),
        ("1h30m", 5_400_000_000),
        ("90d", 7_776_000_000_000),
    ],
)
def test_durations(text: str, us: int) -> None:
    assert parse_duration(text) == us


@pytest.mark.parametrize(
    "text", ["", "5", "0s", "-5s", "5 s", "1.5h", "s", "9999999999999999d", "36501d", "5w"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write one like"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64KiB", 65_536), ("4 MiB", 4_194_304), ("1GB", 10**9), (7, 7)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0B", "-1KiB", "5", "1.5MiB", "5kib", -5, 0])
def test_what_is_no_size_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="is no size; write one like"):
        parse_size(text)


_SCALARS = [n for n in TypeName if n not in (TypeName.VECTOR, TypeName.LIST, TypeName.MAP)]
_TYPES = st.recursive(
    st.one_of(
        st.sampled_from(_SCALARS).map(ColumnType),
        st.integers(1, 16_384).map(lambda size: ColumnType(TypeName.VECTOR, size=size)),
    ),
    lambda inner: st.builds(
        ColumnType, st.sampled_from([TypeName.LIST, TypeName.MAP]), element=inner
    ),
    max_leaves=3,
)


@given(_TYPES)
def test_types_are_read_as_they_are_spelled(column_type: ColumnType) -> None:
    if str(column_type).count("<") <= 4:
        assert parse_type(str(column_type)) == column_type


@pytest.mark.parametrize(
    "text", ["", "int", "list", "list<>", "map<int64,string>", "vector<x>", "vector<99999>"]
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"type|vector"):
        parse_type(text)


def test_types_nest_only_so_deep() -> None:
    with pytest.raises(ValueError, match="nests deeper"):
        parse_type("list<" * 6 + "string" + ">" * 6)
