"""`features.history`: every purchase with two times, and reads as of a moment.

A row is never changed. `event_time` says when something happened and `ingest_time` when it
was known; a correction is a new row of the same event with a later ingest time. A read as of
a moment takes, of each event up to the moment, the latest version known by then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from taulu_client import Client, Put, Table, Unit
from taulu_refunds.nonces import Clock, token
from taulu_refunds.outcomes import check_written
from taulu_refunds.purchases import Purchase

TABLE = "features.history"
PURCHASE_VIEW = "purchases"
INGEST_DELAY = timedelta(hours=6)
"""How long after the day begins its purchases are loaded."""
LATE_SHARE = 0.05
_LATE_DAYS_MAX = 60
_UNITS_PER_CALL = 250
_ROWS_PER_UNIT = 50


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One version of one event of one customer."""

    customer_id: str
    view: str
    event_time: datetime
    ingest_time: datetime
    event_id: str
    discs: int
    amount_cents: int


def open_history(client: Client) -> Table[HistoryRow]:
    """Return the table."""
    return client.table(TABLE, HistoryRow)


def on_time(purchases: Iterable[Purchase]) -> list[HistoryRow]:
    """Return the rows of purchases that arrive the day they happen."""
    return [
        HistoryRow(
            customer_id=purchase.customer_id,
            view=PURCHASE_VIEW,
            event_time=purchase.event_time,
            ingest_time=purchase.event_time + INGEST_DELAY,
            event_id=purchase.event_id,
            discs=purchase.discs,
            amount_cents=purchase.amount_cents,
        )
        for purchase in purchases
    ]


def late(purchases: Sequence[Purchase], seed: int, known_after: datetime) -> list[HistoryRow]:
    """Return 5 % of the purchases once more, as corrections.

    Each keeps its event and its event time, has another amount (less by 5 to 95 %, as after a
    return), and becomes known only after `known_after`. Which ones, how much and when follow
    from the seed.
    """
    rng = np.random.default_rng([seed, len(purchases)])
    chosen = rng.choice(len(purchases), round(LATE_SHARE * len(purchases)), replace=False)
    rows: list[HistoryRow] = []
    for index in sorted(int(i) for i in chosen):
        purchase = purchases[index]
        share = float(rng.uniform(0.05, 0.95))
        delay = timedelta(days=int(rng.integers(1, _LATE_DAYS_MAX)))
        rows.append(
            HistoryRow(
                customer_id=purchase.customer_id,
                view=PURCHASE_VIEW,
                event_time=purchase.event_time,
                ingest_time=max(purchase.event_time, known_after) + delay,
                event_id=purchase.event_id,
                discs=purchase.discs,
                amount_cents=int(purchase.amount_cents * (1 - share)),
            )
        )
    return rows


async def write_history(
    table: Table[HistoryRow], rows: Sequence[HistoryRow], label: str, clock: Clock
) -> AsyncIterator[int]:
    """Write rows, a unit per customer and many units per call; yield how many each call wrote.

    Sending the same rows under the same label again changes nothing.
    """
    units = _units(rows, label, clock)
    for start in range(0, len(units), _UNITS_PER_CALL):
        batch = units[start : start + _UNITS_PER_CALL]
        check_written(await table.batch_write(batch))
        yield sum(len(unit.mutations) for unit in batch)


def _units(rows: Sequence[HistoryRow], label: str, clock: Clock) -> list[Unit]:
    by_customer: dict[str, list[HistoryRow]] = {}
    for row in rows:
        by_customer.setdefault(row.customer_id, []).append(row)
    return [
        Unit(
            mutations=[Put(row) for row in own[start : start + _ROWS_PER_UNIT]],
            token=token(clock, "history", label, customer, start),
        )
        for customer, own in by_customer.items()
        for start in range(0, len(own), _ROWS_PER_UNIT)
    ]


async def read_as_of(
    table: Table[HistoryRow], customer_id: str, moment: datetime, known_at: datetime
) -> list[HistoryRow]:
    """Return what was known at `known_at` of one customer's purchases up to `moment`.

    The store skips events after the moment; versions not yet known are dropped here.
    """
    rows = table.query(customer_id, start=(PURCHASE_VIEW, moment), end=(PURCHASE_VIEW,))
    return latest_known([item.row async for item in rows], known_at)


def latest_known(rows: Iterable[HistoryRow], known_at: datetime) -> list[HistoryRow]:
    """Return the latest version of each event among those ingested by `known_at`."""
    latest: dict[str, HistoryRow] = {}
    for row in rows:
        if row.ingest_time > known_at:
            continue
        present = latest.get(row.event_id)
        if present is None or row.ingest_time > present.ingest_time:
            latest[row.event_id] = row
    return list(latest.values())
