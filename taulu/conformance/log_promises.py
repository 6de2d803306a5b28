"""Logs: consecutive offsets, one partition per key, times that never step back."""

from __future__ import annotations

import asyncio

import pytest

from taulu.codec import KeyCodec, log_partition
from taulu.conformance.promises import Promises
from taulu.conformance.subject import PAGE_BYTES, Subject
from taulu.conformance.tables import (
    CONFORMANCE_TABLES,
    EVENTS,
    LOG_PARTITIONS,
    SHORT_LOG,
    TTL_S,
)
from taulu.model import (
    Appended,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    InvalidArgument,
    Kind,
    LogRecord,
    LogStart,
    NewRecord,
    OffsetOutOfRange,
    ReadLog,
)
from taulu.spi import Feature


class LogPromises(Promises):
    """Promises about append and read."""

    async def test_records_of_a_key_stand_in_one_partition_in_order(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source = subject.name()
        done = await _fill(subject, source, 10)
        table = next(table for table in CONFORMANCE_TABLES if table.full_name == EVENTS)
        expected = log_partition(KeyCodec(table).partition((source,)), LOG_PARTITIONS)
        assert {appended.partition for appended in done} == {expected}
        offsets = [appended.offset for appended in done]
        assert offsets == sorted(set(offsets))
        times = [appended.time_us for appended in done]
        assert times == sorted(times)

    async def test_offsets_are_consecutive_from_zero(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        records = [NewRecord((subject.name(str(n)),), {}, subject.token()) for n in range(40)]
        await subject.append_all(EVENTS, *records)
        total = 0
        for partition in range(LOG_PARTITIONS):
            page = await subject.read_log(EVENTS, partition, records_max=1_000)
            if page.records and page.records[0].offset == 0:
                offsets = [record.offset for record in page.records]
                assert offsets == list(range(len(offsets)))
            total += len(page.records)
        assert total >= len(records)

    async def test_a_record_is_read_back_as_it_was_appended(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source = subject.name("\x00\U0001f9ea")
        done = await subject.append(EVENTS, source, {"count": 2**63 - 1, "text": None})
        page = await subject.read_log(EVENTS, done.partition, FromOffset(done.offset))
        expected = LogRecord(
            done.partition, done.offset, done.time_us, (source,), {"count": 2**63 - 1}
        )
        assert page.records[0] == expected

    async def test_pages_follow_one_another(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source = subject.name()
        done = await _fill(subject, source, 7)
        partition, offset = done[0].partition, done[0].offset
        seen: list[int] = []
        while True:
            page = await subject.read_log(EVENTS, partition, FromOffset(offset), records_max=3)
            if not page.records:
                break
            assert len(page.records) <= 3
            seen += [record.offset for record in page.records if record.key == (source,)]
            assert page.next_offset == offset + len(page.records)
            offset = page.next_offset
        assert page.next_offset == page.end_offset == offset
        assert seen == [appended.offset for appended in done]

    async def test_a_page_keeps_to_bytes(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source = subject.name()
        done = [await subject.append(EVENTS, source, {"text": "x" * 1_000}) for _ in range(5)]
        start = FromOffset(done[0].offset)
        for bytes_max, count in ((2_500, 2), (1, 1), (PAGE_BYTES, 5)):
            page = await subject.run(ReadLog(EVENTS, done[0].partition, start, 100, bytes_max))
            assert len(page.records) == count

    async def test_a_read_begins_where_it_was_told(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        done = await _fill(subject, subject.name(), 3)
        partition, first = done[0].partition, done[0].offset
        starts: list[tuple[LogStart, int]] = [
            (FromOffset(first + 1), first + 1),
            (FromOffset(first + 3), first + 3),
            (FromLatest(), first + 3),
        ]
        for start, offset in starts:
            page = await subject.read_log(EVENTS, partition, start, records_max=1)
            began = page.records[0].offset if page.records else page.next_offset
            assert began == offset, start
            assert page.end_offset == first + 3
        earliest = await subject.read_log(EVENTS, partition, FromEarliest(), records_max=1)
        assert earliest.records[0].offset <= first

    async def test_a_read_from_a_time_begins_with_the_first_record_since(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.LOG, Feature.READ_FROM_TIME)
        source = subject.name()
        done: list[Appended] = []
        for n in range(4):
            done.append(await subject.append(EVENTS, source, {"count": n}))
            await subject.pass_time(0.01)
        partition = done[0].partition
        for appended in done:
            page = await subject.read_log(EVENTS, partition, FromTime(appended.time_us))
            assert page.records[0].offset == appended.offset
            assert page.records[0].time_us == appended.time_us
        later = await subject.read_log(EVENTS, partition, FromTime(done[1].time_us + 1))
        assert later.records[0].offset == done[2].offset
        none = await subject.read_log(EVENTS, partition, FromTime(done[3].time_us + 10**12))
        assert none.records == ()

    async def test_an_offset_past_the_end_is_refused_with_the_range(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        done = await _fill(subject, subject.name(), 1)
        with pytest.raises(OffsetOutOfRange) as refused:
            await subject.read_log(EVENTS, done[0].partition, FromOffset(done[0].offset + 2))
        assert refused.value.details["end"] == str(done[0].offset + 1)
        assert int(refused.value.details["earliest"]) <= done[0].offset

    async def test_a_partition_that_is_none_is_refused(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        for partition in (-1, LOG_PARTITIONS):
            with pytest.raises(InvalidArgument):
                await subject.read_log(EVENTS, partition)

    async def test_a_waiting_read_returns_with_the_next_record(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source = subject.name()
        (done,) = await _fill(subject, source, 1)
        appended: list[int] = []
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(
                subject.read_log(EVENTS, done.partition, FromLatest(), wait_s=10)
            )
            # It begins some time after it was asked for: what comes after that ends it.
            while not waiting.done():
                appended.append((await subject.append(EVENTS, source, {"count": 7})).offset)
                await asyncio.wait([waiting], timeout=0.1)
        found = [record.offset for record in waiting.result().records]
        assert found
        assert found == appended[appended.index(found[0]) :][: len(found)]

    async def test_a_read_waits_no_longer_than_it_was_told(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        (done,) = await _fill(subject, subject.name(), 1)
        page = await subject.read_log(EVENTS, done.partition, FromLatest(), wait_s=0.05)
        assert page.records == ()
        assert page.next_offset == page.end_offset

    async def test_records_past_their_retention_are_gone_from_the_front(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.LOG, Feature.RETENTION)
        if not subject.harness.follows_clock:
            pytest.skip("the subject's clock cannot be moved")
        source = subject.name()
        old = await _fill(subject, source, 3, SHORT_LOG)
        # Others may have left records here from a clock that was ahead, and times never step back.
        ahead_s = max(0.0, (old[-1].time_us - subject.clock.now_us()) / 1_000_000)
        await subject.pass_time(TTL_S + ahead_s)
        new = await _fill(subject, source, 2, SHORT_LOG)
        partition = old[0].partition
        page = await subject.read_log(SHORT_LOG, partition)
        assert [record.offset for record in page.records] == [r.offset for r in new]
        with pytest.raises(OffsetOutOfRange) as refused:
            await subject.read_log(SHORT_LOG, partition, FromOffset(old[-1].offset))
        assert refused.value.details["earliest"] == str(new[0].offset)


async def _fill(subject: Subject, source: str, count: int, table: str = EVENTS) -> list[Appended]:
    """Append records of one key."""
    return [await subject.append(table, source, {"count": n}) for n in range(count)]
