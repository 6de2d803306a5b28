"""What Redis shows of tables, and what it drops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taulu.conformance.row_promises import ALL_TYPES
from taulu.conformance.subject import next_page
from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS, ORDERS
from taulu.model import (
    Column,
    ColumnType,
    Key,
    Page,
    Reserve,
    ScanRows,
    SchemaConflict,
    TypeName,
    Unsupported,
)
from taulu.spi import Environment, Feature
from taulu_redis import RedisAdapter
from taulu_redis._driver import key_slot
from tests.integration.redis_opened import (
    fields_of,
    keys_of,
    opened,
    table_of,
)
from tests.testbed.redis_servers import (
    Standalone,
    call,
    wait_until,
)

pytestmark = pytest.mark.xdist_group("redis")


async def test_rows_are_read_with_redis_cli(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        texts = {name: value for name, value in ALL_TYPES.items() if name not in {"blob", "point"}}
        written = await subject.put(ITEMS, Key((subject.name("c-42"),)), texts, ttl_s=3_600)
        await subject.put(ORDERS, Key((subject.name("c-42"),), (3, "a")), {"count": -7})
        (row,) = keys_of(redis_alone.server, f"taulu:*:row:{subject.run_id}%2Fc-42")
        fields = fields_of(redis_alone.server, row)
        expires = fields.pop("@expires")
        assert int(expires) > subject.clock.now_us()
        assert fields == {
            "@version": str(written.version),
            "flag": "true",
            "count": "-9223372036854775808",
            "ratio": "-0.1",
            "price": "-12345678901234567890.000100",
            "text": ALL_TYPES["text"],
            "at": "1969-12-31T23:59:59.999999Z",
            "ref": "00112233-4455-6677-8899-aabbccddeeff",
            "tags": '["","b","a","b"]',
            "amounts": '{"":0,"x":9223372036854775807}',
        }
        (rows,) = keys_of(redis_alone.server, f"taulu:*:rows:{subject.run_id}%2Fc-42")
        (body,) = call(redis_alone.server.port, "HVALS", rows)  # type: ignore[misc]
        assert body.split(" ", 2)[1:] == ["-", '{"count":"-7"}']


async def test_all_keys_of_a_unit_are_in_one_hash_slot(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        key = Key((subject.name(),))
        await subject.put(ITEMS, key, {"count": 1}, ttl_s=3_600)
        await subject.put(ORDERS, Key(key.partition, (3, "a")), {"count": 1}, ttl_s=3_600)
        await subject.change(BOUNDED, Reserve(key, 1, "hold", 60_000_000, subject.token()))
        await subject.append(EVENTS, subject.name(), {"count": 1})
        found = keys_of(redis_alone.server, "taulu:*")
        # A place of the shared cache is one key, and has no tag.
        tags = {k.partition("}")[0] for k in found if not k.startswith("taulu:cached:")}
        for tag in tags:
            slots = {key_slot(k.encode()) for k in keys_of(redis_alone.server, f"{tag}}}*")}
            assert len(slots) == 1


async def test_redis_drops_by_itself_what_has_expired(redis_alone: Standalone) -> None:
    options = {**redis_alone.options, "reclaim_margin_s": 0}
    async with opened(options) as (_, subject):
        gone, kept = Key((subject.name("gone"),)), Key((subject.name("kept"),))
        await subject.put(ITEMS, gone, {"count": 1}, ttl_s=0.2)
        await subject.put(ITEMS, kept, {"count": 1}, ttl_s=0.2)
        await subject.put(ITEMS, kept, {"count": 2})
        whole, part = (subject.name("whole"),), (subject.name("part"),)
        for name in "ab":
            await subject.put(ORDERS, Key(whole, (1, name)), {"count": 1}, ttl_s=0.2)
        await subject.put(ORDERS, Key(part, (1, "a")), {"count": 1}, ttl_s=0.2)
        await subject.put(ORDERS, Key(part, (1, "b")), {"count": 1})
        mine = f"taulu:*:row*:{subject.run_id}%2F*"
        wait_until("that keys are dropped", lambda: len(keys_of(redis_alone.server, mine)) == 2)
        left = [k.rpartition("%2F")[2] for k in keys_of(redis_alone.server, mine)]
        assert left == ["kept", "part"]
        await subject.scan(ITEMS)
        await subject.scan(ORDERS)
        indexed = [
            name
            for index in keys_of(redis_alone.server, "taulu:*:index")
            for name in call(redis_alone.server.port, "ZRANGE", index, 0, -1)  # type: ignore[attr-defined]
            if name.startswith(subject.run_id)
        ]
        assert sorted(name.rpartition("%2F")[2] for name in indexed) == ["kept", "part"]


async def test_writes_take_along_what_has_expired_in_a_partition(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        owner = subject.name()
        for n in range(10):
            await subject.put(ORDERS, Key((owner,), (n, "")), {"count": n}, ttl_s=1)
        await subject.put(ORDERS, Key((owner,), (99, "")), {"count": 99})
        (rows,) = keys_of(redis_alone.server, f"taulu:*:rows:{subject.run_id}%2F")
        assert call(redis_alone.server.port, "HLEN", rows) == 11
        await subject.pass_time(120)
        await subject.put(ORDERS, Key((owner,), (98, "")), {"count": 98})
        assert call(redis_alone.server.port, "HLEN", rows) == 2


async def test_a_table_without_an_index_cannot_be_scanned(redis_alone: Standalone) -> None:
    table = table_of("unscanned", scan=False, buckets=3)
    async with opened(redis_alone.options, [table]) as (adapter, subject):
        assert Feature.SCAN not in adapter.capabilities_of(table).features
        await subject.put(table.full_name, Key(("a",)), {"text": "b"})
        with pytest.raises(Unsupported):
            await subject.scan(table.full_name)
        assert keys_of(redis_alone.server, "taulu:{options.unscanned:*:index*") == []
        for wrong in ({"scan": "no"}, {"buckets": 0}, {"bucket": 1}):
            assert len(adapter.refusals(table_of("wrong", **wrong))) == 1


async def test_a_description_that_does_not_fit_is_refused(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options, [table_of("shape")]):
        pass
    count = Column("count", ColumnType(TypeName.INT64))
    wider = replace(table_of("shape"), columns=(*table_of("shape").columns, count))
    async with opened(redis_alone.options, [wider]):
        pass
    other = replace(table_of("shape"), columns=(Column("count", ColumnType(TypeName.STRING)),))
    for wrong in (other, table_of("shape", buckets=7), table_of("shape", scan=False)):
        with pytest.raises(SchemaConflict) as refused:
            async with opened(redis_alone.options, [wrong]):
                pass
        doctor = RedisAdapter.create(redis_alone.options, Environment())
        findings = await doctor.examine([wrong, wider, table_of("not_there_yet")])
        assert [finding.what for finding in findings if not finding.ok] == [refused.value.message]


async def test_pages_of_a_scan_keep_to_bytes(redis_alone: Standalone) -> None:
    async with opened(redis_alone.options) as (_, subject):
        owner = subject.name()
        for n in range(5):
            await subject.put(ORDERS, Key((f"{owner}{n}",), (n, "")), {"text": "x" * 900})
        page: Page | None = Page(1_000, 1_000)
        found: list[Key] = []
        while page is not None:
            got = await subject.run(ScanRows(ORDERS, page))
            mine = [row.key for row in got.rows if str(row.key.partition[0]).startswith(owner)]
            assert len(mine) <= 1
            found += mine
            page = next_page(page, got)
        assert len(found) == len(set(found)) == 5
