"""Time to live: an expired row is absent everywhere, and an overwrite inherits nothing."""

from __future__ import annotations

import pytest

from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import ITEMS, ORDERS, PARTITION_ROWS, SHORT, SMALL_ORDERS, TTL_S
from taulu.model import ConditionFailed, IfAbsent, IfPresent, IfVersion, Key, Kind, Put, Update
from taulu.spi import Feature

_SHORT_S, _LONG_S = 2.0, 600.0


def _ttl_s(subject: Subject) -> float:
    """Return a time to live that does not run out before it is made to, however busy all is."""
    return _LONG_S if subject.harness.follows_clock else _SHORT_S


class ExpiryPromises(Promises):
    """Promises about rows that end by themselves."""

    async def test_an_expired_row_is_absent_from_every_read(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.ROW_TTL, Feature.SCAN)
        ttl_s = _ttl_s(subject)
        owner = subject.name()
        stays, goes = Key((owner,), (1, "stays")), Key((owner,), (1, "goes"))
        await subject.put(ORDERS, stays, {"count": 1})
        await subject.put(ORDERS, goes, {"count": 2}, ttl_s=ttl_s)
        assert len(await subject.query(ORDERS, (owner,))) == 2
        await subject.pass_time(ttl_s)
        assert await subject.row(ORDERS, goes) is None
        assert [row.key for row in await subject.query(ORDERS, (owner,))] == [stays]
        scanned = [row.key for row in await subject.scan(ORDERS) if row.key.partition == (owner,)]
        assert scanned == [stays]

    async def test_an_expired_row_is_absent_from_conditions(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.ROW_TTL, Feature.CONDITIONS)
        ttl_s = _ttl_s(subject)
        key = Key((subject.name(),))
        version = (await subject.put(ITEMS, key, {"count": 1}, ttl_s=ttl_s)).version
        await subject.pass_time(ttl_s)
        for condition in (IfPresent(key), IfVersion(key, version)):
            with pytest.raises(ConditionFailed) as failed:
                await subject.put(ITEMS, key, {"count": 2}, conditions=[condition])
            assert failed.value.details["version"] == "0"
        await subject.put(ITEMS, key, {"count": 3}, conditions=[IfAbsent(key)])
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"count": 3}

    async def test_an_update_of_an_expired_row_begins_anew(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.ROW_TTL, Feature.PARTIAL_UPDATE)
        ttl_s = _ttl_s(subject)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1, "text": "old"}, ttl_s=ttl_s)
        await subject.pass_time(ttl_s)
        await subject.write(ITEMS, Update(key, {"count": 2}))
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert (dict(row.columns), row.expire_us) == ({"count": 2}, None)

    async def test_an_overwrite_does_not_inherit_the_old_ttl(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.ROW_TTL)
        ttl_s = _ttl_s(subject)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1}, ttl_s=ttl_s)
        await subject.put(ITEMS, key, {"count": 2})
        await subject.pass_time(ttl_s)
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert (dict(row.columns), row.expire_us) == ({"count": 2}, None)

    async def test_a_later_ttl_replaces_an_earlier_one(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.ROW_TTL)
        ttl_s = _ttl_s(subject)
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1}, ttl_s=ttl_s)
        await subject.put(ITEMS, key, {"count": 2}, ttl_s=ttl_s * 20)
        await subject.pass_time(ttl_s)
        assert await subject.row(ITEMS, key) is not None

    async def test_an_update_keeps_the_expiry_unless_it_has_its_own(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.ROW_TTL, Feature.PARTIAL_UPDATE)
        ttl_s = _ttl_s(subject)
        kept, changed = Key((subject.name("kept"),)), Key((subject.name("changed"),))
        for key in (kept, changed):
            await subject.put(ITEMS, key, {"count": 1}, ttl_s=ttl_s)
        await subject.write(ITEMS, Update(kept, {"count": 2}))
        await subject.write(ITEMS, Update(changed, {"count": 2}, int(ttl_s * 20e6)))
        await subject.pass_time(ttl_s)
        assert await subject.row(ITEMS, kept) is None
        assert await subject.row(ITEMS, changed) is not None

    async def test_the_tables_ttl_holds_where_a_write_names_none(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.ROW_TTL, Feature.PARTIAL_UPDATE)
        if not subject.harness.follows_clock:
            pytest.skip("the subject's clock cannot be moved")
        put, made, own = (Key((subject.name(stem),)) for stem in ("put", "made", "own"))
        before_us = subject.clock.now_us()
        await subject.put(SHORT, put, {"count": 1})
        await subject.write(SHORT, Update(made, {"count": 1}))
        await subject.put(SHORT, own, {"count": 1}, ttl_s=TTL_S * 3)
        row = await subject.row(SHORT, put)
        assert row is not None
        assert row.expire_us is not None
        ttl_us = TTL_S * 1_000_000
        assert before_us + ttl_us <= row.expire_us <= subject.clock.now_us() + ttl_us
        await subject.pass_time(TTL_S)
        assert await subject.row(SHORT, put) is None
        assert await subject.row(SHORT, made) is None
        assert await subject.row(SHORT, own) is not None

    async def test_expired_rows_do_not_count_against_a_partition(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.ROW_TTL)
        ttl_s = _ttl_s(subject)
        owner = subject.name()
        for n in range(PARTITION_ROWS):
            await subject.put(SMALL_ORDERS, Key((owner,), (n, "")), {"count": n}, ttl_s=ttl_s)
        await subject.pass_time(ttl_s)
        await subject.write(SMALL_ORDERS, Put(Key((owner,), (9, "")), {"count": 9}))
        assert len(await subject.query(SMALL_ORDERS, (owner,))) == 1
