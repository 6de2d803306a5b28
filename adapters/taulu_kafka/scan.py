"""Which records of a stretch count, and when they were appended: the reader's half of the rule.

Pure: it is fed one record after another, and asks for an earlier beginning when it needs one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from taulu_kafka._driver import Fetched
from taulu_kafka.stamp import Stamp, read_stamp


class NeedsEarlier(Exception):
    """The stretch must begin at or before this offset for the record to be judged."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Counted:
    """A record that counts."""

    record: Fetched
    stamp: Stamp | None
    """None for one that something else than Taulu wrote."""
    time_us: int
    """When it was appended: never before a record of Taulu's that stands before it."""


@dataclass(slots=True)
class Scan:
    """Judges the records of a partition in order of offset."""

    base: int
    """Where the stretch begins."""
    start: int
    """The first offset that is to be judged; those before it are only looked at."""
    low: int
    """The first offset that the partition still has."""
    time_us: int = 0
    _last: dict[str, int] = field(default_factory=dict[str, int])

    def judge(self, record: Fetched) -> Counted | None:
        """Take the next record; return it when it counts and is asked for.

        A void record and a duplicate do not count. Records that Taulu did not write always do,
        at the time that Kafka gives them.

        Raises:
            NeedsEarlier: It cannot be judged from where the stretch begins.
        """
        is_asked = record.offset >= self.start
        stamp = read_stamp(record.headers)
        if stamp is None:
            return Counted(record, None, record.time_ms * 1_000) if is_asked else None
        is_void = stamp.is_void(record.offset)
        if is_asked and not is_void and max(stamp.checked, self.low) < self.base:
            raise NeedsEarlier(stamp.checked)
        self.time_us = max(self.time_us, stamp.time_us)
        if is_void:
            return None
        before = self._last.get(stamp.token, -1)
        self._last[stamp.token] = record.offset
        if before >= stamp.checked or not is_asked:
            return None
        return Counted(record, stamp, self.time_us)
