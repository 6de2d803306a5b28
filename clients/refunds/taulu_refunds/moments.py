"""The fixed moments of the job, and the machine's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FOREVER = datetime.max.replace(tzinfo=UTC)
"""A moment after all others."""

CALIBRATION_DAY = date(1997, 9, 30)
"""The day that the published features and the BG/NBD figures are as of."""

LAST_DAY = date(1998, 6, 30)
"""The last day of the data; online features are as of its end."""

FIRST_CLAIM_DAY = date(1998, 7, 1)
"""Generated claims begin the day after the data ends."""


def end_of_day(day: date) -> datetime:
    """Return the last microsecond of a day: as of then, all of the day has happened."""
    return datetime.combine(day, time.max, tzinfo=UTC)


def utc_now() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)
