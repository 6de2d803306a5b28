from __future__ import annotations

from dataclasses import replace

import pytest

from taulu.model import (
    Delete,
    Increment,
    Key,
    LimitExceeded,
    Limits,
    NewRecord,
    Put,
    Update,
    WriteUnit,
)
from taulu.policy.row_bytes import KEY_BYTES_MAX, RowBytes
from tests.unit.policy.parts import CREDITS, EVENTS, token

CHECK = RowBytes(replace(EVENTS, limits=Limits(row_bytes=100)))
COUNTERS = RowBytes(CREDITS)
KEY = Key(("a",))


@pytest.mark.parametrize("kind", [Put, Update])
def test_a_row_at_the_limit_passes_and_one_past_it_does_not(kind: type[Put | Update]):
    # A map of one: 1 byte, the name 5, the length of the string 2.
    fits, too_long = ({"what": "x" * size} for size in (92, 93))
    CHECK.unit(WriteUnit((kind(KEY, fits),), token()))
    with pytest.raises(LimitExceeded, match="row_bytes 100") as refused:
        CHECK.unit(WriteUnit((kind(KEY, too_long),), token()))
    assert refused.value.details["sent"] == "101"


def test_records_are_measured_too():
    with pytest.raises(LimitExceeded, match="row_bytes"):
        CHECK.record(NewRecord(("a",), {"what": "x" * 100}, token()))


@pytest.mark.parametrize("value", ["é" * (KEY_BYTES_MAX // 2 + 1), b"x" * (KEY_BYTES_MAX + 1)])
def test_long_keys_are_refused(value: str | bytes):
    with pytest.raises(LimitExceeded, match="key_bytes"):
        CHECK.unit(WriteUnit((Put(Key((value,)), {}),), token()))
    with pytest.raises(LimitExceeded, match="key_bytes"):
        CHECK.record(NewRecord((value,), {}, token()))
    with pytest.raises(LimitExceeded, match=r"a key of .* no table takes longer ones"):
        COUNTERS.change(Increment(Key((value,)), 1, token()))


def test_deletes_have_no_size():
    unit = WriteUnit((Delete(KEY),), token())
    assert CHECK.unit(unit) == unit
