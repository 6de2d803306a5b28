"""What a customer's purchases say at a moment: the counts that BG/NBD is fitted on.

Frequency, recency and T are those of Fader, Hardie and Lee (2005): purchases after the first,
counted by day; weeks from the first purchase to the last; weeks from the first purchase to
the moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from taulu_refunds.history import HistoryRow

_DAYS_PER_WEEK = 7.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One customer's purchases, summed up."""

    frequency: int
    recency_weeks: float
    age_weeks: float
    """T of the paper."""
    purchase_count: int
    spend_cents: int

    @property
    def mean_spend_cents(self) -> float:
        """Mean amount of one purchase."""
        return self.spend_cents / self.purchase_count


def behaviour(rows: Iterable[HistoryRow], as_of: date) -> Behaviour | None:
    """Sum up the rows given, all of them; None when there is none.

    Which rows count is the reader's choice (see `history`): handing in rows from after
    `as_of` gives the leaky features that the report warns of.
    """
    kept = list(rows)
    if not kept:
        return None
    days = {row.event_time.date() for row in kept}
    first, last = min(days), max(days)
    return Behaviour(
        frequency=len(days) - 1,
        recency_weeks=(last - first).days / _DAYS_PER_WEEK,
        age_weeks=(as_of - first).days / _DAYS_PER_WEEK,
        purchase_count=len(kept),
        spend_cents=sum(row.amount_cents for row in kept),
    )
