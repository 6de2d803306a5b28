"""Reading one page of a partition."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from taulu.model import (
    Corrupt,
    DeadlineExceeded,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    LogRecord,
    LogStart,
)
from taulu_kafka._driver import Consumer, Place
from taulu_kafka.readers import Budget
from taulu_kafka.records import RecordCodec
from taulu_kafka.scan import Counted
from taulu_kafka.walk import BEHIND_REST_S, End, Walk, out_of_range


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one read of a log found."""

    records: tuple[LogRecord, ...]
    next_offset: int
    end_offset: int


class _Expired(Exception):
    """The walk begins with a record that is past its time."""


@dataclass(frozen=True, slots=True)
class PageRead:
    """One page that is wanted; the work of a reader's thread."""

    codec: RecordCodec
    place: Place
    start: LogStart
    records_max: int
    bytes_max: int
    oldest_us: int | None
    """Records from before this time are gone; None when all are kept."""
    end_known: int = 0
    """What the end of the partition is at least."""

    def __call__(self, consumer: Consumer, budget: Budget) -> Stretch:
        """Read the page.

        Raises:
            OffsetOutOfRange: The start is not kept, or does not exist yet.
            Corrupt: The first record cannot be decoded.
        """
        match self.start:
            case FromLatest():
                return self._at_end(consumer, budget)
            case FromTime(time_us=time_us):
                return self._since(consumer, budget, max(time_us, self.oldest_us or 0))
            case FromEarliest():
                if self.oldest_us is not None:
                    return self._since(consumer, budget, self.oldest_us)
                low, _ = consumer.watermarks(self.place, budget.left_s())
                return self._page(self._walk(consumer, budget, low), 0)
            case FromOffset(offset=offset):
                return self._at(consumer, budget, offset)

    def _at_end(self, consumer: Consumer, budget: Budget) -> Stretch:
        _, end = consumer.watermarks(self.place, budget.left_s())
        while end < self.end_known:
            budget.rest(BEHIND_REST_S)
            _, end = consumer.watermarks(self.place, budget.left_s())
        return Stretch((), end, end)

    def _since(self, consumer: Consumer, budget: Budget, time_us: int) -> Stretch:
        """Begin at the first record of a time or later.

        Kafka knows milliseconds, so what it finds may be followed by records that are too early.
        """
        offset = consumer.offset_at(self.place, max(0, time_us // 1_000), budget.left_s())
        if offset is None:
            return self._at_end(consumer, budget)
        return self._page(self._walk(consumer, budget, offset), time_us)

    def _at(self, consumer: Consumer, budget: Budget, offset: int) -> Stretch:
        if offset < 0:
            low, end = consumer.watermarks(self.place, budget.left_s())
            raise out_of_range(self.place, offset, low, end)
        try:
            return self._page(self._walk(consumer, budget, offset), 0)
        except _Expired:
            found = self._since(consumer, budget, self.oldest_us or 0)
            earliest = found.records[0].offset if found.records else found.end_offset
            raise out_of_range(self.place, offset, earliest, found.end_offset) from None

    def _walk(self, consumer: Consumer, budget: Budget, offset: int) -> Walk:
        return Walk(consumer, budget, self.place, offset, end_known=self.end_known)

    def _page(self, walk: Walk, since_us: int) -> Stretch:
        records: list[LogRecord] = []
        began = next_offset = walk.position
        bytes_taken = 0
        with closing(walk.steps()) as steps:
            try:
                for step in steps:
                    if isinstance(step, End):
                        return Stretch(tuple(records), step.offset, step.offset)
                    counted = step.counted
                    if counted is not None and (records or counted.time_us >= since_us):
                        bytes_taken += len(counted.record.key) + len(counted.record.value)
                        if records and bytes_taken > self.bytes_max:
                            break
                        if not self._take(counted, records):
                            break
                    next_offset = step.next_offset
                    if len(records) >= self.records_max:
                        break
            except DeadlineExceeded:
                # What was passed is told, so that the next read does not begin here again.
                if next_offset == began:
                    raise
            return Stretch(tuple(records), next_offset, walk.end)

    def _take(self, counted: Counted, records: list[LogRecord]) -> bool:
        """Add a record to the page; return whether the page can go on."""
        if self.oldest_us is not None and counted.time_us < self.oldest_us and not records:
            raise _Expired
        try:
            records.append(self.codec.read(counted))
        except Corrupt:
            # What stands before it is shown first; the next page begins with it and fails.
            if not records:
                raise
            return False
        return True
