"""`features.online`: the newest features of each customer, one packed vector per view.

The newest event time wins: a write names the version that it read, so that an older batch that
comes late never replaces a newer one.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from taulu_client import IfAbsent, IfVersion, Item, Put, Table, Unit, errors
from taulu_refunds.bgnbd import Model, outlook
from taulu_refunds.failure import JobError
from taulu_refunds.features import Behaviour
from taulu_refunds.outcomes import succeeded

TABLE = "features.online"
SPEND_VIEW = "spend"
WEEKS_AHEAD = 26.0
_BATCH = 500
_ROUNDS_MAX = 5
_EXPECTED_SPEND = 5
"""Where the expected spend stands in the vector."""


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One view of one customer."""

    customer_id: str
    view: str
    event_time: datetime
    model: str
    features: array[float]

    @property
    def expected_spend_cents(self) -> float:
        """What the customer is expected to spend in the weeks ahead."""
        return self.features[_EXPECTED_SPEND]


def online_rows(
    behaviours: Mapping[str, Behaviour], model: Model, model_name: str, event_time: datetime
) -> list[OnlineRow]:
    """Return the features of customers as of a moment."""
    customers = list(behaviours)
    expected = outlook(model, [behaviours[name] for name in customers], WEEKS_AHEAD)
    rows: list[OnlineRow] = []
    for at, customer in enumerate(customers):
        seen = behaviours[customer]
        values = (
            seen.frequency,
            seen.recency_weeks,
            seen.age_weeks,
            seen.mean_spend_cents,
            float(expected.alive[at]),
            float(expected.purchases[at]) * seen.mean_spend_cents,
        )
        rows.append(OnlineRow(customer, SPEND_VIEW, event_time, model_name, array("f", values)))
    return rows


async def write_online(table: Table[OnlineRow], rows: Sequence[OnlineRow]) -> AsyncGenerator[int]:
    """Write rows that are newer than what is there; yield how many each step has dealt with.

    Raises:
        JobError: Others kept writing the same rows.
    """
    for start in range(0, len(rows), _BATCH):
        waiting = list(rows[start : start + _BATCH])
        count = len(waiting)
        for _ in range(_ROUNDS_MAX):
            waiting = await _write_newer(table, waiting)
            if not waiting:
                break
        if waiting:
            raise JobError(f"{len(waiting)} rows of {TABLE} were written by others all the time")
        yield count


async def _write_newer(table: Table[OnlineRow], rows: Sequence[OnlineRow]) -> list[OnlineRow]:
    """Write once; return the rows that others wrote in between."""
    keys = [(row.customer_id, row.view) for row in rows]
    newer: list[OnlineRow] = []
    units: list[Unit] = []
    for row, key, found in zip(rows, keys, await table.batch_get(keys), strict=True):
        if isinstance(found, errors.TauluError):
            raise found
        if found is not None and found.row.event_time >= row.event_time:
            continue
        condition = IfAbsent(key) if found is None else IfVersion(key, found.version)
        newer.append(row)
        units.append(Unit([Put(row)], [condition]))
    done = succeeded(await table.batch_write(units)) if units else []
    return [row for row, ok in zip(newer, done, strict=True) if not ok]


async def read_online(
    table: Table[OnlineRow], customers: Sequence[str]
) -> dict[str, Item[OnlineRow]]:
    """Return the features of customers, by customer; who has none is left out."""
    found: dict[str, Item[OnlineRow]] = {}
    unique = list(dict.fromkeys(customers))
    items = await table.batch_get([(customer, SPEND_VIEW) for customer in unique])
    for customer, item in zip(unique, items, strict=True):
        if isinstance(item, errors.TauluError):
            raise item
        if item is not None:
            found[customer] = item
    return found
