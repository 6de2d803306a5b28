from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from taulu.model import (
    TTL_US_MAX,
    Bound,
    ClusteringRange,
    Delete,
    DeleteRange,
    FromEarliest,
    GetRows,
    IfColumns,
    IfVersion,
    InvalidArgument,
    Key,
    NewRecord,
    Page,
    Put,
    QueryRows,
    ReadLog,
    ScanRows,
    Update,
    WriteUnit,
)
from taulu.policy.values import SEGMENTS_MAX, Values
from tests.unit.policy.parts import EVENTS, ORDERS, token

VALUES = Values(ORDERS)
KEY = Key(("a",), (1,))
PAGE = Page(1, 1)
CET = timezone(timedelta(hours=1))


def put(**columns: Any) -> Any:
    mutation = VALUES.unit(WriteUnit((Put(KEY, columns),), token())).mutations[0]
    assert isinstance(mutation, Put)
    return mutation.columns


def test_values_are_brought_to_their_column():
    assert put(ratio=1, amount=3, labels=["x"], seen={"k": 2}, paid=None) == {
        "ratio": 1.0,
        "amount": Decimal(3),
        "labels": ["x"],
        "seen": {"k": 2},
        "paid": None,
    }
    assert put(embedding=[1, 0.5]) == {"embedding": array("f", [1.0, 0.5])}


def test_timestamps_come_out_in_utc():
    (when,) = put(when=datetime(2026, 1, 1, 1, tzinfo=CET)).values()
    assert when == datetime(2026, 1, 1, tzinfo=UTC)
    assert when.tzinfo is UTC


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"paid": 1}, "column 'paid' is bool, but a value of type int64 was sent"),
        ({"paid": "yes"}, "string was sent"),
        ({"ratio": "1"}, "float64"),
        ({"ratio": 2**60}, "float64"),
        ({"amount": 1.5}, "decimal"),
        ({"amount": Decimal("NaN")}, "finite"),
        ({"amount": Decimal("1e99")}, "38 digits"),
        ({"amount": Decimal("1" * 39)}, "38 digits"),
        ({"when": datetime(2026, 1, 1)}, "aware"),  # noqa: DTZ001 - it is the point
        ({"labels": "x"}, "list"),
        ({"labels": [1]}, "int64 was sent"),
        ({"labels": [None]}, "null was sent"),
        ({"seen": [1]}, "map"),
        ({"seen": {"k": 2**63}}, "does not fit"),
        ({"embedding": [1.0]}, "a vector of 1 was sent"),
        ({"embedding": ["x", "y"]}, "numbers"),
        ({"embedding": [float("nan"), 1.0]}, "NaN"),
        ({"embedding": [1e300, 1.0]}, "range of 32-bit floats"),
        ({"payd": True}, "did you mean 'paid'?"),
        ({"number": 1}, "key column"),
    ],
)
def test_what_does_not_fit_is_refused_with_column_and_type(columns: dict[str, Any], says: str):
    with pytest.raises(InvalidArgument) as refused:
        put(**columns)
    assert says in str(refused.value)
    assert refused.value.details["table"] == "shop.orders"


@pytest.mark.parametrize(
    "key",
    [
        Key(()),
        Key(("a",)),
        Key(("a",), ()),
        Key(("a", "b"), (1,)),
        Key(("a",), (1, 2)),
        Key((1,), (1,)),
        Key(("a",), ("1",)),
        Key((None,), (1,)),  # type: ignore[arg-type]
        Key(("a",), (True,)),
        Key(("a",), (2**63,)),
    ],
)
def test_keys_must_fit_everywhere(key: Key):
    units = [
        WriteUnit((Put(key, {}),), token()),
        WriteUnit((Update(key, {}),), token()),
        WriteUnit((Delete(key),), token()),
        WriteUnit((Delete(KEY),), token(), (IfVersion(key, 1),)),
    ]
    for unit in units:
        with pytest.raises(InvalidArgument):
            VALUES.unit(unit)
    with pytest.raises(InvalidArgument):
        VALUES.key(key)


@pytest.mark.parametrize(
    "unit",
    [
        WriteUnit((), token()),
        WriteUnit((Put(KEY, {}, ttl_us=0),), token()),
        WriteUnit((Update(KEY, {}, ttl_us=-1),), token()),
        WriteUnit((Put(KEY, {}, ttl_us=TTL_US_MAX + 1),), token()),
        WriteUnit((DeleteRange(()),), token()),
        WriteUnit((DeleteRange(("a",), ClusteringRange(Bound(("x",)))),), token()),
        WriteUnit((Delete(KEY),), token(), (IfColumns(KEY, {"paid": 1}),)),
    ],
)
def test_units_that_make_no_sense_are_refused(unit: WriteUnit):
    with pytest.raises(InvalidArgument):
        VALUES.unit(unit)


@pytest.mark.parametrize(
    "operation",
    [
        QueryRows("shop.orders", (), PAGE),
        QueryRows("shop.orders", ("a",), PAGE, ClusteringRange(end=Bound((1, 2)))),
        QueryRows("shop.orders", ("a",), PAGE, columns=("nope",)),
        GetRows("shop.orders", (), columns=("nope",)),
        ScanRows("shop.orders", PAGE, segment=1, segment_count=1),
        ScanRows("shop.orders", PAGE, segment=-1),
        ScanRows("shop.orders", PAGE, segment_count=SEGMENTS_MAX + 1),
    ],
)
def test_reads_that_make_no_sense_are_refused(operation: Any):
    with pytest.raises(InvalidArgument):
        VALUES.whole(operation)


def test_key_columns_may_be_asked_for():
    asked = GetRows("shop.orders", (), columns=("customer", "number", "paid"))
    assert VALUES.whole(asked) == asked


def test_a_column_that_is_named_a_million_times_is_returned_once():
    columns = ("paid", "number", *["paid"] * 1_000_000)
    checked = VALUES.whole(QueryRows("shop.orders", ("a",), PAGE, columns=columns))
    assert checked.columns == ("paid", "number")


def test_the_word_nearest_to_a_huge_one_is_not_looked_for_at_any_price(
    monkeypatch: pytest.MonkeyPatch,
):
    looked_for: list[str] = []

    def looked(word: str, *_: object, **__: object) -> list[str]:
        looked_for.append(word)
        return []

    monkeypatch.setattr("difflib.get_close_matches", looked)
    with pytest.raises(InvalidArgument, match="there is no column"):
        put(**{"x" * 4_000_000: 1})
    assert [len(word) for word in looked_for] == [128]


@pytest.mark.parametrize("partition", [-1, 4])
def test_log_partitions_that_do_not_exist_are_refused(partition: int):
    with pytest.raises(InvalidArgument, match="there are 4"):
        Values(EVENTS).whole(ReadLog("shop.events", partition, FromEarliest(), 1, 1))


def test_records_must_fit():
    good = NewRecord(("a",), {"what": "paid"}, token())
    assert Values(EVENTS).record(good) == good
    for bad in (NewRecord((), {}, token()), NewRecord(("a",), {"what": 1}, token())):
        with pytest.raises(InvalidArgument):
            Values(EVENTS).record(bad)
