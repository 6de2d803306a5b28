"""Rows by key: what was put is read, per key, with every type and every odd key."""

from __future__ import annotations

import asyncio
from array import array
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BINARY, ITEMS
from taulu.model import (
    Absent,
    Consistency,
    Delete,
    Failed,
    GetRows,
    Key,
    Kind,
    Level,
    Put,
    Row,
    Update,
    Value,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Feature

_LAG_READS = 100
_LAG_REST_S = 0.05

ALL_TYPES: dict[str, Value] = {
    "flag": True,
    "count": -(2**63),
    "ratio": -0.1,
    "price": Decimal("-12345678901234567890.000100"),
    "text": "zero \x00, quote ', emoji \U0001f9ea, \u00e9",
    "blob": bytes(range(256)),
    "at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "ref": UUID("00112233-4455-6677-8899-aabbccddeeff"),
    "point": array("f", [0.5, -1.25, 3e10]),
    "tags": ["", "b", "a", "b"],
    "amounts": {"": 0, "x": 2**63 - 1},
}
"""One value of every type, at the edges that stores tend to round off."""

ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00",
    "a\x00b",
    "\u00ff",
    "\U0001f9ea\U0001f9ea",
    "e\u0301",
    "\u00e9",
    "../..",
    "'; DROP TABLE items; --",
    "%s{}[]*?:",
    "x" * 900,
)
ODD_BYTES = (b"", b"\x00", b"\x00\x00", b"\x00\xff", b"\xff", b"\xff\xff", bytes(range(256)) * 3)


class RowPromises(Promises):
    """Promises about single rows and batches of them."""

    async def test_a_row_is_read_back_with_every_type_unchanged(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        written = await subject.put(ITEMS, key, ALL_TYPES)
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == ALL_TYPES
        assert {n: type(v) for n, v in row.columns.items()} == {
            n: type(v) for n, v in ALL_TYPES.items()
        }
        assert str(row.columns["price"]) == str(ALL_TYPES["price"])
        assert row.version == written.version
        assert row.expire_us is None

    async def test_a_row_without_columns_exists(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {})
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {}

    async def test_a_missing_key_is_data_and_order_and_count_are_kept(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.KV)
        here, gone = Key((subject.name("here"),)), Key((subject.name("gone"),))
        await subject.put(ITEMS, here, {"count": 1})
        outcomes = await subject.get(ITEMS, gone, here, gone, here, here)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [Absent, Row, Absent, Row, Row]

    async def test_only_the_columns_asked_for_are_returned(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1, "text": "a", "flag": False})
        (row,) = await subject.get(ITEMS, key, columns=("text", "ratio"))
        assert isinstance(row, Row)
        assert dict(row.columns) == {"text": "a"}

    async def test_a_put_replaces_the_whole_row(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1, "text": "a"})
        await subject.put(ITEMS, key, {"flag": True})
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"flag": True}

    async def test_none_is_not_stored(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1, "text": None})
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"count": 1}

    async def test_an_update_keeps_the_other_columns_and_clears_with_none(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.KV, Feature.PARTIAL_UPDATE)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, ALL_TYPES)
        await subject.write(ITEMS, Update(key, {"count": 2, "text": None}))
        row = await subject.row(ITEMS, key)
        assert row is not None
        expected: dict[str, Value] = {**ALL_TYPES, "count": 2}
        del expected["text"]
        assert dict(row.columns) == expected

    async def test_an_update_makes_an_absent_row(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.PARTIAL_UPDATE)
        key = Key((subject.name(),))
        await subject.write(ITEMS, Update(key, {"count": 3}))
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"count": 3}

    async def test_a_deleted_row_is_absent_and_deleting_it_again_is_fine(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1})
        await subject.write(ITEMS, Delete(key))
        await subject.write(ITEMS, Delete(key))
        assert await subject.row(ITEMS, key) is None

    async def test_odd_texts_are_keys_of_their_own(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        texts = [subject.name() + odd for odd in ODD_TEXTS]
        keys = [Key((text,)) for text in (*texts, "")]
        for count, key in enumerate(keys):
            await subject.put(ITEMS, key, {"count": count})
        outcomes = await subject.get(ITEMS, *keys)
        found = [o.columns["count"] if isinstance(o, Row) else o for o in outcomes]
        assert found == list(range(len(keys)))

    async def test_odd_bytes_are_keys_of_their_own(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        run = subject.run_id.encode()
        keys = [Key((run + odd,)) for odd in ODD_BYTES] + [Key((odd + run,)) for odd in ODD_BYTES]
        keys = list(dict.fromkeys(keys))
        for count, key in enumerate(keys):
            await subject.put(BINARY, key, {"count": count})
        outcomes = await subject.get(BINARY, *keys)
        found = [o.columns["count"] if isinstance(o, Row) else o for o in outcomes]
        assert found == list(range(len(keys)))

    async def test_units_of_a_batch_have_outcomes_of_their_own(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        keys = [Key((subject.name(str(n)),)) for n in range(20)]
        units = [
            WriteUnit((Put(key, {"count": n}),), subject.token()) for n, key in enumerate(keys)
        ]
        outcomes = await subject.write_units(ITEMS, *units)
        assert all(isinstance(outcome, Written) for outcome in outcomes)
        read = await subject.get(ITEMS, *keys)
        assert [r.columns["count"] for r in read if isinstance(r, Row)] == list(range(20))
        assert not [outcome for outcome in read if isinstance(outcome, Failed)]

    async def test_each_write_of_a_row_has_a_higher_version(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        versions = [(await subject.put(ITEMS, key, {"count": n})).version for n in range(10)]
        assert versions == sorted(set(versions))

    async def test_replies_say_what_they_delivered(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        key = Key((subject.name(),))
        before_us = subject.clock.now_us()
        written = await subject.put(ITEMS, key, {"count": 1})
        for level in subject.harness.capabilities.read_levels:
            reads = await subject.run(_get_at(key, level))
            assert reads.facts.level >= level
            assert reads.facts.version == written.version
            if subject.harness.follows_clock:
                assert before_us <= reads.facts.as_of_us <= subject.clock.now_us()

    async def test_a_write_at_every_declared_level_is_read_back(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        for level in sorted(subject.harness.capabilities.write_levels):
            key = Key((subject.name(level.name),))
            unit = WriteUnit((Put(key, {"count": int(level)}),), subject.token())
            (outcome,) = (await subject.run(WriteRows(ITEMS, (unit,), level))).outcomes
            assert isinstance(outcome, Written)
            row = await _row_in_time(subject, key)
            assert row.version == outcome.version
            assert dict(row.columns) == {"count": int(level)}


async def _row_in_time(subject: Subject, key: Key) -> Row:
    """Read a row that a weak write may show only after a moment."""
    for _ in range(_LAG_READS):
        row = await subject.row(ITEMS, key)
        if row is not None:
            return row
        await asyncio.sleep(_LAG_REST_S)
    raise AssertionError(f"{key} is not there after {_LAG_READS} reads")


def _get_at(key: Key, level: Level) -> GetRows:
    staleness_us = 60_000_000 if level is Level.BOUNDED_STALENESS else None
    return GetRows(ITEMS, (key,), consistency=Consistency(level, staleness_us))
