"""Verifying the money: ledger, decisions and audit, each read back and compared."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from taulu_client import Counter as BudgetState
from taulu_client import errors
from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.checks import Check, equal
from taulu_refunds.claims import Claim
from taulu_refunds.decider import HOLD_MS
from taulu_refunds.decisions import Decision
from taulu_refunds.events import DECIDED, FUNDED, SETTLED, Event, event_from_columns
from taulu_refunds.pin import Pin, State
from taulu_refunds.stores import Stores

PART = "money"
_POLL_S = 0.5
_SEGMENTS = 4


@dataclass(slots=True)
class Books:
    """All that the gateway holds about money."""

    budgets: dict[BudgetKey, BudgetState]
    decisions: list[Decision]
    pins: list[Pin]
    events: list[Event] = field(default_factory=list[Event])

    def of(self, kind: str) -> list[Event]:
        """Return the events of one kind."""
        return [event for event in self.events if event.event == kind]


async def verify_money(
    stores: Stores, claims: Sequence[Claim], plan: Mapping[BudgetKey, int]
) -> list[Check]:
    """Read the books and check them against each other and against the claims sent."""
    return check_books(await read_books(stores, list(plan)), claims, plan)


async def read_books(stores: Stores, budgets: Sequence[BudgetKey]) -> Books:
    """Read everything; holds that deciders left behind are given the time to run out."""
    states = await _read_budgets(stores, budgets)
    for _ in range(int(HOLD_MS / 1_000 / _POLL_S) + 1):
        if not any(state.held_decrease for state in states.values()):
            break
        await asyncio.sleep(_POLL_S)
        states = await _read_budgets(stores, budgets)
    books = Books(
        states,
        [item.row async for item in stores.decisions.scan(segments=_SEGMENTS)],
        [item.row async for item in stores.pins.table.scan(segments=_SEGMENTS)],
    )
    for partition in range(await stores.events.partition_count()):
        async for record in stores.events.read(partition):
            columns = {**record.key, **record.columns}
            books.events.append(event_from_columns(columns))
    return books


async def _read_budgets(
    stores: Stores, budgets: Sequence[BudgetKey]
) -> dict[BudgetKey, BudgetState]:
    states: dict[BudgetKey, BudgetState] = {}
    for key, state in zip(budgets, await stores.budgets.batch_get(budgets), strict=True):
        if isinstance(state, errors.TauluError):
            raise state
        states[key] = state
    return states


def check_books(
    books: Books, claims: Sequence[Claim], plan: Mapping[BudgetKey, int]
) -> list[Check]:
    """Check the books: the money budget by budget, and every claim."""
    return _check_money(books, plan) + _check_claims(books, len(claims))


def _check_money(books: Books, plan: Mapping[BudgetKey, int]) -> list[Check]:
    ledger = {key: plan[key] - state.value for key, state in books.budgets.items()}
    decided = _by_budget((d.budget, d.amount_cents) for d in books.decisions)
    audited = _by_budget((event.budget, event.amount_cents) for event in books.of(SETTLED))
    funded = _by_budget((event.budget, event.amount_cents) for event in books.of(FUNDED))
    overspent = sum(max(0, -state.value) for state in books.budgets.values())
    held = sum(-state.held_decrease for state in books.budgets.values())
    paid = sum(ledger.values())
    apart = [
        key
        for key in ledger.keys() | decided.keys() | audited.keys()
        if not ledger.get(key, 0) == decided.get(key, 0) == audited.get(key, 0)
    ]
    sound = sum(funded.get(key) == cents for key, cents in plan.items())
    return [
        equal(PART, "cents overspent, over all budgets", overspent, 0),
        equal(PART, "cents decided, against the ledger", sum(decided.values()), paid),
        equal(PART, "cents audited, against the ledger", sum(audited.values()), paid),
        equal(PART, "budgets whose three books differ", len(apart), 0),
        equal(PART, "budgets whose funding is audited", sound, len(plan)),
        equal(PART, "cents still held", held, 0),
    ]


def _check_claims(books: Books, count: int) -> list[Check]:
    decided = Counter(decision.claim_id for decision in books.decisions)
    settled = Counter(event.subject for event in books.of(SETTLED))
    ended = sum(pin.state == State.SETTLED for pin in books.pins)
    granted = {(e.subject, e.attempt, e.amount_cents) for e in books.of(DECIDED)}
    sudden = sum((e.subject, e.attempt, e.amount_cents) not in granted for e in books.of(SETTLED))
    explained = sum(bool(d.features_seen and d.policy_revision) for d in books.decisions)
    return [
        equal("claims", "claims decided", len(decided), count),
        equal("claims", "claims decided more than once", sum(n > 1 for n in decided.values()), 0),
        equal(
            "claims", "claims settled once in audit", sum(n == 1 for n in settled.values()), count
        ),
        equal("claims", "pinned claims that are settled", ended, count),
        equal("claims", "settlements with no decision before", sudden, 0),
        equal("claims", "decisions that name what they saw", explained, count),
    ]


def _by_budget(entries: Iterable[tuple[BudgetKey, int]]) -> dict[BudgetKey, int]:
    sums: dict[BudgetKey, int] = defaultdict(int)
    for key, cents in entries:
        sums[key] += cents
    return dict(sums)
