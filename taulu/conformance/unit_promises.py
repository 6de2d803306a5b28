"""Write units: conditions are checked first, and all of a unit happens or none of it."""

from __future__ import annotations

import pytest

from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import ITEMS, ORDERS, PARTITION_ROWS, SMALL_ORDERS
from taulu.model import (
    WHOLE_PARTITION,
    Condition,
    ConditionFailed,
    Delete,
    DeleteRange,
    Failed,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Key,
    Kind,
    LimitExceeded,
    Put,
    Row,
    Update,
    WriteUnit,
    Written,
)
from taulu.spi import Feature


class UnitPromises(Promises):
    """Promises about conditions and atomicity."""

    async def test_each_condition_holds_when_it_should(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        key = Key((subject.name(),))
        first = await subject.put(ITEMS, key, {"count": 1}, conditions=[IfAbsent(key)])
        second = await subject.put(
            ITEMS, key, {"count": 2, "text": "a"}, conditions=[IfVersion(key, first.version)]
        )
        assert second.version > first.version
        equal = IfColumns(key, {"count": 2, "text": "a", "flag": None})
        await subject.put(ITEMS, key, {"count": 3}, conditions=[IfPresent(key), equal])
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"count": 3}

    async def test_each_condition_fails_when_it_should(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        here, gone = Key((subject.name("here"),)), Key((subject.name("gone"),))
        version = (await subject.put(ITEMS, here, {"count": 1})).version
        cases: list[tuple[Condition, int]] = [
            (IfAbsent(here), version),
            (IfPresent(gone), 0),
            (IfVersion(here, version - 1), version),
            (IfVersion(here, version + 1), version),
            (IfVersion(gone, version), 0),
            (IfColumns(here, {"count": 2}), version),
            (IfColumns(here, {"count": None}), version),
            (IfColumns(here, {"count": 1, "text": "a"}), version),
            (IfColumns(gone, {"count": None}), 0),
        ]
        for condition, present in cases:
            with pytest.raises(ConditionFailed) as failed:
                await subject.put(ITEMS, condition.key, {"count": 9}, conditions=[condition])
            assert failed.value.details["index"] == "0", condition
            assert failed.value.details["version"] == str(present), condition
        assert await subject.row(ITEMS, gone) is None
        row = await subject.row(ITEMS, here)
        assert row is not None
        assert dict(row.columns) == {"count": 1}

    async def test_first_write_wins_and_is_not_overwritten(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"text": "first"}, conditions=[IfAbsent(key)])
        for text in ("second", "third"):
            with pytest.raises(ConditionFailed):
                await subject.put(ITEMS, key, {"text": text}, conditions=[IfAbsent(key)])
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert row.columns["text"] == "first"

    async def test_one_failed_condition_leaves_nothing_of_the_unit(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.CONDITIONS)
        owner = subject.name()
        keys = [Key((owner,), (1, name)) for name in "abc"]
        await subject.put(ORDERS, keys[2], {"count": 1})
        mutations = (
            Put(keys[0], {"count": 2}),
            Put(keys[1], {"count": 2}),
            Delete(keys[2]),
        )
        conditions = (IfAbsent(keys[0]), IfPresent(keys[2]), IfAbsent(keys[2]))
        with pytest.raises(ConditionFailed) as failed:
            await subject.write(ORDERS, *mutations, conditions=conditions)
        assert failed.value.details["index"] == "2"
        rows = await subject.query(ORDERS, (owner,))
        assert [(row.key, dict(row.columns)) for row in rows] == [(keys[2], {"count": 1})]

    async def test_conditions_see_the_state_before_the_unit(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.CONDITIONS)
        key = Key((subject.name(),), (1, "a"))
        await subject.write(ORDERS, Put(key, {"count": 1}), conditions=[IfAbsent(key)])
        with pytest.raises(ConditionFailed):
            await subject.write(ORDERS, Delete(key), conditions=[IfAbsent(key)])

    async def test_mutations_apply_in_order_and_share_one_version(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.PARTIAL_UPDATE, Feature.DELETE_RANGE)
        owner = subject.name()
        a, b, c = (Key((owner,), (1, name)) for name in "abc")
        await subject.put(ORDERS, a, {"count": 0})
        written = await subject.write(
            ORDERS,
            Put(b, {"count": 1}),
            DeleteRange((owner,), WHOLE_PARTITION),
            Put(b, {"count": 2}),
            Update(b, {"text": "later"}),
            Put(c, {"count": 3}),
            Delete(c),
            Put(c, {"count": 4}),
        )
        rows = await subject.query(ORDERS, (owner,))
        assert [(row.key, dict(row.columns)) for row in rows] == [
            (b, {"count": 2, "text": "later"}),
            (c, {"count": 4}),
        ]
        assert {row.version for row in rows} == {written.version}

    async def test_a_unit_that_crosses_partitions_is_atomic(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.TRANSACTIONS, Feature.CONDITIONS)
        giver, taker = Key((subject.name("giver"),)), Key((subject.name("taker"),))
        await subject.write(ITEMS, Put(giver, {"count": 10}), Put(taker, {"count": 0}))
        with pytest.raises(ConditionFailed):
            await subject.write(
                ITEMS,
                Put(giver, {"count": 5}),
                Put(taker, {"count": 5}),
                conditions=[IfColumns(giver, {"count": 10}), IfColumns(taker, {"count": 1})],
            )
        outcomes = await subject.get(ITEMS, giver, taker)
        assert [o.columns["count"] for o in outcomes if isinstance(o, Row)] == [10, 0]

    async def test_one_failed_unit_of_a_batch_fails_alone(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        keys = [Key((subject.name(str(n)),)) for n in range(3)]
        await subject.put(ITEMS, keys[1], {"count": 7})
        units = [
            WriteUnit((Put(key, {"count": 1}),), subject.token(), (IfAbsent(key),)) for key in keys
        ]
        outcomes = await subject.write_units(ITEMS, *units)
        assert [type(outcome) for outcome in outcomes] == [Written, Failed, Written]
        read = await subject.get(ITEMS, *keys)
        assert [o.columns["count"] for o in read if isinstance(o, Row)] == [1, 7, 1]

    async def test_units_of_a_batch_see_those_before_them(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        key = Key((subject.name(),))
        units = [
            WriteUnit((Put(key, {"count": n}),), subject.token(), (IfAbsent(key),))
            for n in range(3)
        ]
        outcomes = await subject.write_units(ITEMS, *units)
        assert [type(outcome) for outcome in outcomes].count(Written) == 1

    async def test_a_partition_does_not_grow_past_its_limit(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        for n in range(PARTITION_ROWS):
            await subject.put(SMALL_ORDERS, Key((owner,), (n, "")), {"count": n})
        extra = Key((owner,), (99, ""))
        with pytest.raises(LimitExceeded) as exceeded:
            await subject.write(
                SMALL_ORDERS, Put(Key((owner,), (0, "")), {"count": 50}), Put(extra, {"count": 1})
            )
        assert exceeded.value.details["limit"] == "partition_rows"
        rows = await subject.query(SMALL_ORDERS, (owner,))
        assert sorted(str(row.columns["count"]) for row in rows) == ["0", "1", "2", "3", "4"]
        await subject.put(SMALL_ORDERS, Key((owner,), (0, "")), {"count": 60})
        await subject.write(SMALL_ORDERS, Delete(Key((owner,), (1, ""))), Put(extra, {"count": 1}))
        assert len(await subject.query(SMALL_ORDERS, (owner,))) == PARTITION_ROWS
