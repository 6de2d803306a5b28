"""`refunds.decision_by_claim`: one row per claim, which says how far its decision has got.

The row is inserted if absent before any money moves and pins everything that the decision
depends on: the budget (its day too), the arm and its amount, the policy revision, the features
seen. All that is written later follows from this row alone, so any decider can go on where
another stopped. After the insert the row only moves by compare-and-set on its version, along
the arrows of clients/refunds/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from taulu_client import IfAbsent, IfVersion, Item, Put, Table, Unit, Update, Value, errors
from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.outcomes import succeeded
from taulu_refunds.policy import Arm

TABLE = "refunds.decision_by_claim"


class State(StrEnum):
    """How far a claim has got."""

    OFFERED = "offered"
    """An arm is chosen; its money is not yet known to be there."""
    GRANTED = "granted"
    """The attempt's hold was reserved: the only state in which money may move."""
    SETTLED = "settled"
    """Paid, decided and audited: nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One claim's pinned decision."""

    claim_id: str
    customer_id: str
    scope: str
    region: str
    day: str
    shard: int
    state: str
    attempt: int
    """Counts offers, from 1; each attempt has a hold of its own."""
    arm: str
    amount_cents: int
    chosen_arm: str
    """What the policy chose; `arm` is cheaper when the budget refused that."""
    asked_cents: int
    part_cents: int
    hold_ms: int
    """How long a hold of this claim lasts."""
    score: float
    propensity: float
    policy_revision: int
    model: str
    features_seen: dict[str, int]
    """Version of every feature row that was read, by view."""
    features_hash: str
    decided_at: datetime
    """Business time of the delivery that pinned the claim."""
    pinned_at: datetime
    """Clock time of the pin: tokens of this claim are remembered for a day from then."""

    @property
    def budget(self) -> BudgetKey:
        """The budget that pays."""
        return BudgetKey(self.scope, self.region, self.day, self.shard)

    @property
    def hold_id(self) -> str:
        """The hold of the present attempt."""
        return f"{self.claim_id}:{self.attempt}"

    @property
    def hold_ttl(self) -> timedelta:
        """How long a hold of this claim lasts."""
        return timedelta(milliseconds=self.hold_ms)

    def amount_of(self, arm: Arm) -> int:
        """Return what an arm pays on this claim."""
        return {Arm.FULL: self.asked_cents, Arm.PART: self.part_cents, Arm.NONE: 0}[arm]


@dataclass(frozen=True, slots=True)
class Move:
    """A step of one claim: from the row as it was read, to other values of some columns."""

    seen: Item[Pin]
    changes: Mapping[str, Value]


class Pins:
    """The table, with the three things that are done to it."""

    def __init__(self, table: Table[Pin]) -> None:
        self.table = table

    async def read(self, claim_ids: Sequence[str]) -> dict[str, Item[Pin]]:
        """Return the claims that are pinned, by id, at the table's level: linearizable."""
        found: dict[str, Item[Pin]] = {}
        for claim_id, item in zip(claim_ids, await self.table.batch_get(claim_ids), strict=True):
            if isinstance(item, errors.TauluError):
                raise item
            if item is not None:
                found[claim_id] = item
        return found

    async def insert(self, pins: Sequence[Pin]) -> None:
        """Pin the claims that nobody has pinned yet; leave the others as they are.

        Who lost, or does not know, reads again: the outcome is in the table.
        """
        units = [Unit(mutations=[Put(pin)], conditions=[IfAbsent(pin.claim_id)]) for pin in pins]
        if units:
            succeeded(await self.table.batch_write(units))

    async def move(self, moves: Sequence[Move]) -> list[bool]:
        """Take steps whose claim has not moved since it was read; return which were taken.

        A step of unknown fate counts as not taken: whoever reads again sees the truth.
        """
        if not moves:
            return []
        units = [
            Unit(
                mutations=[Update(move.seen.row.claim_id, move.changes)],
                conditions=[IfVersion(move.seen.row.claim_id, move.seen.version)],
            )
            for move in moves
        ]
        return succeeded(await self.table.batch_write(units))
