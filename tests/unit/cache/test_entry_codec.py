from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from taulu.cache.entry import Cached, Entry
from taulu.cache.entry_codec import EntryCodec
from taulu.model import Absent, CachePolicy, Corrupt, Facts, Key, Level, Row, RowPage, TypeName
from tests.unit.policy.parts import ORDERS, DrivenClock, column

ROW = Row(Key(("ada",), (7,)), {"amount": Decimal("1.50"), "paid": True}, 9, expire_us=99)
PAGE = RowPage((ROW, ROW), Facts(Level.QUORUM, 9, 1_000_000), next_token="more")
THERE, HERE = DrivenClock(2_000_000, 50.0), DrivenClock(3_000_000, 900.0)


def entry(value: Cached, version: int) -> Entry:
    return Entry(value, version, 1_000_000, 1_200_000, 49.0, 60.0, 10)


@pytest.mark.parametrize(("value", "version"), [(ROW, 9), (Absent(), 0), (PAGE, 9)])
def test_entries_come_back_on_another_clock(value: Cached, version: int) -> None:
    data = EntryCodec(ORDERS, THERE, 0.5).encode(entry(value, version))
    got = EntryCodec(ORDERS, HERE, 0.5).decode(data)
    assert (got.value, got.version) == (value, version)
    assert (got.as_of_us, got.landed_us) == (1_000_000, 1_200_000)
    # Two seconds ago by our wall clock, and half a second more for its distance from theirs.
    assert got.began_s == 900.0 - 2.0 - 0.5
    assert got.keep_until_s == 900.0 + (12_000_000 - 3_000_000) / 1e6 - 0.5
    assert got.data_bytes == len(data)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x02\x03", b"garbage"])
def test_garbage_is_an_error_and_no_miss(data: bytes) -> None:
    with pytest.raises(Corrupt, match=r"the shared cache holds what is no entry of shop\.orders"):
        EntryCodec(ORDERS, HERE, 0.5).decode(data)


def test_another_release_is_an_error_that_says_so() -> None:
    data = EntryCodec(ORDERS, THERE, 0.5).encode(entry(ROW, 9))
    with pytest.raises(Corrupt, match="another release"):
        EntryCodec(ORDERS, HERE, 0.5).decode(data[:1] + b"\x02" + data[2:])


def test_tables_that_make_other_entries_have_another_shape() -> None:
    policy = CachePolicy(("near", "shared"), 60_000_000, columns=("amount", "paid"))
    table = replace(ORDERS, cache=policy)
    shape = EntryCodec(table, HERE, 0.5).shape
    same = replace(
        table,
        columns=tuple(replace(column, doc="new") for column in reversed(table.columns)),
        cache=replace(policy, columns=("paid", "amount"), staleness_us=9_000_000),
    )
    assert EntryCodec(same, THERE, 0.5).shape == shape
    others = (
        replace(table, columns=table.columns[1:]),
        replace(table, columns=(*table.columns[1:], column("amount", TypeName.INT64))),
        replace(table, cache=replace(policy, columns=("amount",))),
        replace(table, cache=replace(policy, ttl_us=1_000_000)),
        replace(table, cache=replace(policy, negative_ttl_us=1_000_000)),
    )
    shapes = {EntryCodec(other, HERE, 0.5).shape for other in others}
    assert len(shapes | {shape}) == len(others) + 1
