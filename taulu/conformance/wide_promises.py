"""Wide tables: declared order, ranges by prefix, both directions, pages that lose nothing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from taulu.conformance.promises import Promises, seeded
from taulu.conformance.subject import PAGE_BYTES, Subject, next_page
from taulu.conformance.tables import ITEMS, ORDERS, TYPED_KEYS
from taulu.model import (
    Bound,
    ClusteringRange,
    Delete,
    DeleteRange,
    InvalidPageToken,
    Key,
    KeyValue,
    Kind,
    Page,
    Put,
    Row,
    ScanRows,
    WriteUnit,
)
from taulu.spi import Feature

_NAMES = ("", "\x00", "a", "a\x00", "a\x00b", "ab", "b", "\u00e9", "\uffff", "\U0001f9ea")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY_VALUES: tuple[tuple[KeyValue, KeyValue], ...] = (
    (False, True),
    (-(2**63), 2**63 - 1),
    ("a\x00", "a\x00b"),
    (b"\x00", b"\xff"),
    (_EPOCH - timedelta(microseconds=1), _EPOCH),
    (UUID(int=1), UUID(int=2**127)),
)
"""A lower and a higher value of each key type, in the order of the columns of `TYPED_KEYS`."""


class WidePromises(Promises):
    """Promises about order, ranges, pages and scans."""

    async def test_rows_come_in_declared_order_both_ways(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        keys = await _fill(subject, owner)
        assert [row.key for row in await subject.query(ORDERS, (owner,))] == keys
        subject.need(Kind.WIDE, Feature.REVERSE_QUERY)
        backwards = await subject.query(ORDERS, (owner,), reverse=True)
        assert [row.key for row in backwards] == keys[::-1]

    async def test_every_key_type_orders_rows_up_and_down(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        columns = len(_KEY_VALUES) * 2
        low = tuple(pair[0] for pair in _KEY_VALUES for _ in range(2))
        clusterings = [low]
        for at in range(columns):
            changed = list(low)
            changed[at] = _KEY_VALUES[at // 2][1]
            clusterings.append(tuple(changed))
        units = [
            WriteUnit((Put(Key((owner,), clustering), {"count": 1}),), subject.token())
            for clustering in clusterings
        ]
        await subject.write_units(TYPED_KEYS, *units)
        rows = await subject.query(TYPED_KEYS, (owner,), rows_max=4)
        # A change of a descending column moves a row before the lowest one, and the further
        # the earlier the column stands; one of an ascending column moves it behind.
        descending = [clusterings[at + 1] for at in range(1, columns, 2)]
        ascending = [clusterings[at + 1] for at in range(0, columns, 2)]
        assert [row.key.clustering for row in rows] == [*descending, low, *ascending[::-1]]

    async def test_partitions_do_not_mix(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owners = [subject.name() + odd for odd in ("", "\x00", "a", "\u00ff")]
        for owner in owners:
            await subject.put(ORDERS, Key((owner,), (1, "")), {"text": owner})
        for owner in owners:
            rows = await subject.query(ORDERS, (owner,))
            assert [row.columns["text"] for row in rows] == [owner]

    async def test_ranges_hold_exactly_what_lies_between(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        keys = await _fill(subject, owner)
        prefixes: list[tuple[KeyValue, ...]] = [(), (2,), (1,), (2, "a"), (2, "a\x00a"), (-1, "b")]
        bounds = [None] + [
            Bound(prefix, exclusive) for prefix in prefixes for exclusive in (False, True)
        ]
        for start, end in itertools.product(bounds, bounds):
            span = ClusteringRange(start, end)
            rows = await subject.query(ORDERS, (owner,), span, rows_max=100)
            expected = [key for key in keys if _lies_in(key.clustering, span)]
            assert [row.key for row in rows] == expected, span

    async def test_a_range_holds_the_same_rows_backwards(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.REVERSE_QUERY)
        owner = subject.name()
        await _fill(subject, owner)
        span = ClusteringRange(Bound((3, "b"), exclusive=True), Bound((2, "ab")))
        forwards = await subject.query(ORDERS, (owner,), span)
        backwards = await subject.query(ORDERS, (owner,), span, reverse=True)
        assert [row.key for row in backwards] == [row.key for row in forwards][::-1]
        assert forwards

    async def test_a_range_delete_removes_exactly_the_range(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.DELETE_RANGE)
        owner = subject.name()
        keys = await _fill(subject, owner)
        span = ClusteringRange(Bound((2, "a"), exclusive=True), Bound((-1, "a")))
        await subject.write(ORDERS, DeleteRange((owner,), span))
        left = [key for key in keys if not _lies_in(key.clustering, span)]
        assert [row.key for row in await subject.query(ORDERS, (owner,))] == left
        await subject.write(ORDERS, DeleteRange((owner,)))
        assert await subject.query(ORDERS, (owner,)) == []

    async def test_pages_keep_to_rows_and_bytes(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        for n in range(10):
            await subject.put(ORDERS, Key((owner,), (-n, "")), {"text": "x" * 1_000})
        by_rows = await subject.query_page((owner,), Page(4, PAGE_BYTES), table=ORDERS)
        assert len(by_rows.rows) == 4
        by_bytes = await subject.query_page((owner,), Page(100, 3_500), table=ORDERS)
        assert len(by_bytes.rows) == 3
        at_least_one = await subject.query_page((owner,), Page(100, 1), table=ORDERS)
        assert len(at_least_one.rows) == 1
        everything = await subject.query_page((owner,), Page(100, PAGE_BYTES), table=ORDERS)
        assert len(everything.rows) == 10
        assert next_page(Page(1, 1), everything) is None

    async def test_pages_are_stable_under_writes(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.REVERSE_QUERY)
        for reverse in (False, True):
            owner = subject.name(str(reverse))
            keys = await _fill(subject, owner)
            kept, changing = keys[::2], keys[1::2]
            page: Page | None = Page(2, PAGE_BYTES)
            seen: list[Key] = []
            for turn in itertools.count():
                assert page is not None
                got = await subject.query_page((owner,), page, table=ORDERS, reverse=reverse)
                seen += [row.key for row in got.rows]
                page = next_page(page, got)
                if page is None:
                    break
                victim = changing[turn % len(changing)]
                await subject.write(ORDERS, Delete(victim), Put(kept[0], {"count": turn}))
                await subject.put(ORDERS, Key((owner,), (2, f"new{turn}")), {"count": 1})
            stayed = kept[::-1] if reverse else kept
            assert [key for key in seen if key in kept] == stayed
            assert len(seen) == len(set(seen))

    async def test_a_page_goes_on_behind_a_row_that_was_deleted(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        keys = await _fill(subject, owner)
        page = Page(5, PAGE_BYTES)
        got = await subject.query_page((owner,), page, table=ORDERS)
        await subject.write(ORDERS, Delete(keys[4]))
        rest = next_page(page, got)
        assert rest is not None
        after = await subject.query_page((owner,), rest, table=ORDERS)
        assert [row.key for row in after.rows] == keys[5:10]

    async def test_a_damaged_page_position_is_refused(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        for garbage in (b"\x00", b"garbage", b"\x01\xff\xff", bytes(64)):
            page = Page(2, PAGE_BYTES, position=garbage, token=garbage.hex())
            with pytest.raises(InvalidPageToken):
                await subject.query_page((subject.name(),), page, table=ORDERS)

    async def test_segments_of_a_scan_cover_the_table_once(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.SCAN)
        keys = {Key((subject.name(str(n)),)) for n in range(120)}
        units = [WriteUnit((Put(key, {"count": 1}),), subject.token()) for key in keys]
        await subject.write_units(ITEMS, *units)
        for segment_count in (1, 3, 8):
            found: list[Key] = []
            for segment in range(segment_count):
                rows = await subject.scan(ITEMS, segment, segment_count)
                found += [row.key for row in rows]
            mine = [key for key in found if key in keys]
            assert len(mine) == len(keys) == len(set(mine)), segment_count

    async def test_a_scan_is_stable_under_writes(self, subject: Subject) -> None:
        subject.need(Kind.WIDE, Feature.SCAN)
        owners = [subject.name(str(n)) for n in range(10)]
        kept = {Key((owner,), (n, "kept")) for owner in owners for n in range(3)}
        await _put_all(subject, kept)
        page: Page | None = Page(4, PAGE_BYTES)
        seen: list[Row] = []
        for turn in range(10_000):
            if page is None:
                break
            got = await subject.run(ScanRows(ORDERS, page))
            seen += got.rows
            page = next_page(page, got)
            owner = owners[turn % len(owners)]
            await subject.put(ORDERS, Key((owner,), (5, f"new{turn % 3}")), {"count": turn})
            await subject.put(ORDERS, Key((owner,), (1, "kept")), {"count": turn})
        found = [row.key for row in seen if row.key in kept]
        assert len(found) == len(kept) == len(set(found))


def _place(values: tuple[KeyValue, ...]) -> tuple[int | bytes, ...]:
    """Return clustering values of `ORDERS` (day down, name up), or a prefix, for comparing."""
    day = tuple(-int(str(value)) for value in values[:1])
    return (*day, *(str(value).encode() for value in values[1:]))


def _lies_in(clustering: tuple[KeyValue, ...], span: ClusteringRange) -> bool:
    if span.start is not None:
        own, start = _place(clustering)[: len(span.start.prefix)], _place(span.start.prefix)
        if own < start or (own == start and span.start.exclusive):
            return False
    if span.end is not None:
        own, end = _place(clustering)[: len(span.end.prefix)], _place(span.end.prefix)
        if own > end or (own == end and span.end.exclusive):
            return False
    return True


async def _fill(subject: Subject, owner: str) -> list[Key]:
    """Put rows for three days; return their keys in declared order."""
    days = (3, 2, -1)
    keys = [Key((owner,), (day, name)) for day in days for name in _NAMES]
    shuffled = list(keys)
    seeded().shuffle(shuffled)
    await subject.write(ORDERS, *(Put(key, {"count": 1}) for key in shuffled))
    return keys


async def _put_all(subject: Subject, keys: set[Key]) -> None:
    """Put rows in one batch."""
    units = [WriteUnit((Put(key, {"count": 0}),), subject.token()) for key in keys]
    await subject.write_units(ORDERS, *units)
