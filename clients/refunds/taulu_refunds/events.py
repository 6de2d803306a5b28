"""`audit.events`: what happened to every claim and every budget, in 64 log partitions.

A claim's events share a partition, in order: `decided` (an arm is granted, money may move),
perhaps `decided` again under a later attempt, and one `settled` (the money has moved). Each
event's content and nonce follow from the pinned claim, so that it is appended once, whoever
sends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from taulu_client import LogTable, Record
from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.nonces import Clock, token
from taulu_refunds.outcomes import succeeded

TABLE = "audit.events"
PARTITION_COUNT = 64
FUNDED = "funded"
DECIDED = "decided"
SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Event:
    """One audit event."""

    subject: str
    """A claim's id or a budget's path; it decides the log partition."""
    event: str
    scope: str
    region: str
    day: str
    shard: int
    amount_cents: int
    customer_id: str = ""
    arm: str = ""
    attempt: int = 0
    policy_revision: int = 0

    @property
    def budget(self) -> BudgetKey:
        """The budget that it is about."""
        return BudgetKey(self.scope, self.region, self.day, self.shard)

    @property
    def nonce_parts(self) -> tuple[str | int, ...]:
        """What makes the event unique: `decided` once per attempt, all else once."""
        return (self.subject, self.attempt) if self.event == DECIDED else (self.subject,)


_FIELDS = tuple(field.name for field in fields(Event))


def event_from_columns(columns: Mapping[str, Any]) -> Event:
    """Read an event back from a log record's columns."""
    return Event(**{name: columns[name] for name in _FIELDS if name in columns})


async def append_events(log: LogTable, events: Sequence[Event], clock: Clock) -> list[bool]:
    """Append events; return for each whether it stands. An event appended before stands.

    Raises:
        TauluError: An append failed in a way that no retry mends.
    """
    if not events:
        return []
    records = [
        Record(event.subject, _columns(event), token(clock, event.event, *event.nonce_parts))
        for event in events
    ]
    return succeeded(await log.batch_append(records))


def _columns(event: Event) -> dict[str, str | int]:
    return {name: value for name, value in asdict(event).items() if name != "subject"}
