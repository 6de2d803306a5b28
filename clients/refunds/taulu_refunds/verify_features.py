"""Verifying the features: point-in-time reads through the gateway against published figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from taulu_refunds.bgnbd import fit
from taulu_refunds.checks import Check, equal, near
from taulu_refunds.concurrency import map_bounded
from taulu_refunds.features import Behaviour, behaviour
from taulu_refunds.history import LATE_SHARE, PURCHASE_VIEW, HistoryRow, latest_known, read_as_of
from taulu_refunds.moments import CALIBRATION_DAY, FOREVER, end_of_day
from taulu_refunds.purchases import Purchase, Summary
from taulu_refunds.stores import Stores

PART = "point in time"
WEEKS_TOLERANCE = 0.005
"""Of recency and T: the shipped summary has two decimals."""
SAMPLE_CUSTOMERS = 2_357
LEAKY_CUSTOMERS = 684
"""Customers of the sample who bought again after the calibration day."""
_READS_IN_FLIGHT = 24


async def verify_features(
    stores: Stores,
    purchases: Sequence[Purchase],
    summary: Mapping[str, Summary],
    progress: Callable[[int], None],
) -> list[Check]:
    """Read every customer's history back and check what was known as of the calibration day."""
    customers = sorted(summary)
    done = 0

    async def read(customer: str) -> list[HistoryRow]:
        nonlocal done
        rows = [i.row async for i in stores.history.query(customer, start=(PURCHASE_VIEW,))]
        done += 1
        progress(done)
        return rows

    everything = dict(
        zip(customers, await map_bounded(read, customers, _READS_IN_FLIGHT), strict=True)
    )
    as_of = await behaviours_as_of(stores, customers)
    return check_features(everything, as_of, purchases, summary)


def check_features(
    everything: Mapping[str, Sequence[HistoryRow]],
    as_of: Mapping[str, Behaviour],
    purchases: Sequence[Purchase],
    summary: Mapping[str, Summary],
) -> list[Check]:
    """Check what was read, all of it and as of the calibration day, against the files."""
    moment = end_of_day(CALIBRATION_DAY)
    until = {c: [r for r in rows if r.event_time <= moment] for c, rows in everything.items()}
    known = {c: _behaviour(latest_known(rows, moment)) for c, rows in until.items()}
    leaky = sum(
        _behaviour(latest_known(rows, FOREVER)).frequency != as_of[c].frequency
        for c, rows in everything.items()
    )
    late = sum(_spend(rows) != as_of[c].spend_cents for c, rows in until.items())
    spend = _spend_by_customer(purchases)
    exact = sum(_equals(as_of[c], summary[c]) for c in summary)
    paid = sum(as_of[c].spend_cents == spend[c] for c in summary)
    same = sum(known[c] == as_of[c] for c in summary)
    later = sum(last > CALIBRATION_DAY for last in _last_days(purchases).values())
    corrections = sum(len(rows) for rows in everything.values()) - len(purchases)
    checks = [
        equal(PART, "features equal to the shipped summary", exact, len(summary)),
        equal(PART, "spend as of then, late corrections unseen", paid, len(summary)),
        equal(PART, "reads equal when filtered here instead", same, len(summary)),
        equal(PART, "changed by a read that leaks later events", leaky, later),
        Check(PART, "changed by a read that leaks corrections", f"{late:,}", "above 0", late > 0),
        equal(PART, "late corrections stored", corrections, round(LATE_SHARE * len(purchases))),
    ]
    if len(summary) == SAMPLE_CUSTOMERS:
        checks += _published([as_of[c] for c in sorted(summary)], leaky)
    return checks


def _published(customers: Sequence[Behaviour], leaky: int) -> list[Check]:
    """Check the figures that are published of the whole sample."""
    model = fit(customers)
    return [
        equal("BG/NBD", "customers who bought again later", leaky, LEAKY_CUSTOMERS),
        near("BG/NBD", "r", model.r, 0.243, 0.0005),
        near("BG/NBD", "alpha", model.alpha, 4.414, 0.0005),
        near("BG/NBD", "a", model.a, 0.793, 0.0005),
        near("BG/NBD", "b", model.b, 2.426, 0.0005),
        near("BG/NBD", "log-likelihood", model.log_likelihood, -9582.43, 0.005),
    ]


def _last_days(purchases: Sequence[Purchase]) -> dict[str, date]:
    last: dict[str, date] = {}
    for purchase in purchases:
        last[purchase.customer_id] = max(last.get(purchase.customer_id, purchase.day), purchase.day)
    return last


async def behaviours_as_of(stores: Stores, customers: Sequence[str]) -> dict[str, Behaviour]:
    """Return the features of customers as of the calibration day, as known then."""
    moment = end_of_day(CALIBRATION_DAY)

    async def read(customer: str) -> Behaviour:
        return _behaviour(await read_as_of(stores.history, customer, moment, moment))

    found = await map_bounded(read, customers, _READS_IN_FLIGHT)
    return dict(zip(customers, found, strict=True))


def _behaviour(rows: Sequence[HistoryRow]) -> Behaviour:
    found = behaviour(rows, CALIBRATION_DAY)
    return found or Behaviour(-1, 0.0, 0.0, 0, 0)


def _equals(found: Behaviour, published: Summary) -> bool:
    return (
        found.frequency == published.frequency
        and abs(found.recency_weeks - published.recency_weeks) <= WEEKS_TOLERANCE
        and abs(found.age_weeks - published.age_weeks) <= WEEKS_TOLERANCE
    )


def _spend(rows: Sequence[HistoryRow]) -> int:
    return sum(row.amount_cents for row in latest_known(rows, FOREVER))


def _spend_by_customer(purchases: Sequence[Purchase]) -> dict[str, int]:
    spend: dict[str, int] = {}
    for purchase in purchases:
        if purchase.day <= CALIBRATION_DAY:
            spend[purchase.customer_id] = spend.get(purchase.customer_id, 0) + purchase.amount_cents
    return spend
