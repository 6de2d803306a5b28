"""The two CDNOW files as records.

`CDNOW_sample.txt` has one purchase a line, in columns parted by blanks: the customer's number
in the full file, their number in this sample (1 to 2,357), the day as YYYYMMDD, how many
discs, and dollars. A customer may buy twice on one day, even the same twice (21 lines are
equal to another), so a purchase is known by its line. `cdnow_customers_summary.csv` has the
published features of each customer under the sample's number.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file."""

    customer_id: str
    """The number in the sample, four digits."""
    event_id: str
    """The line it stands on, from 1: `line-00001`."""
    day: date
    discs: int
    amount_cents: int

    @property
    def event_time(self) -> datetime:
        """When it happened; the file knows only the day."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Summary:
    """Published features of one customer as of 1997-09-30."""

    frequency: int
    recency_weeks: float
    age_weeks: float


def parse_purchases(text: str) -> list[Purchase]:
    """Parse `CDNOW_sample.txt`, in the order of its lines.

    Raises:
        ValueError: A line has not five columns, or one is not what it should be.
    """
    return [_parse_line(number, line) for number, line in enumerate(text.splitlines(), start=1)]


def _parse_line(number: int, line: str) -> Purchase:
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(f"line {number} has {len(fields)} columns instead of 5: {line!r}")
    _, customer, day, discs, dollars = fields
    return Purchase(
        customer_id=f"{int(customer):04d}",
        event_id=f"line-{number:05d}",
        day=date(int(day[:4]), int(day[4:6]), int(day[6:8])),
        discs=int(discs),
        amount_cents=int(Decimal(dollars) * 100),
    )


def parse_summary(text: str) -> dict[str, Summary]:
    """Parse `cdnow_customers_summary.csv` into features by customer."""
    return {
        f"{int(row['ID']):04d}": Summary(
            int(row["frequency"]), float(row["recency"]), float(row["T"])
        )
        for row in csv.DictReader(io.StringIO(text))
    }
