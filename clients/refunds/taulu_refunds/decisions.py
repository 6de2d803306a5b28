"""`refunds.decisions`: every settled decision with all that it was made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from taulu_client import Put, Table, Unit
from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.nonces import Clock, token
from taulu_refunds.outcomes import succeeded
from taulu_refunds.pin import Pin

TABLE = "refunds.decisions"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. It follows from the pinned claim alone."""

    customer_id: str
    year: int
    decided_at: datetime
    claim_id: str
    scope: str
    region: str
    day: str
    shard: int
    arm: str
    amount_cents: int
    attempt: int
    score: float
    propensity: float
    policy_revision: int
    model: str
    features_seen: dict[str, int]
    features_hash: str

    @property
    def budget(self) -> BudgetKey:
        """The budget that paid."""
        return BudgetKey(self.scope, self.region, self.day, self.shard)


def decision_of(pin: Pin) -> Decision:
    """Return the decision on a claim whose money has moved."""
    return Decision(
        customer_id=pin.customer_id,
        year=pin.decided_at.year,
        decided_at=pin.decided_at,
        claim_id=pin.claim_id,
        scope=pin.scope,
        region=pin.region,
        day=pin.day,
        shard=pin.shard,
        arm=pin.arm,
        amount_cents=pin.amount_cents,
        attempt=pin.attempt,
        score=pin.score,
        propensity=pin.propensity,
        policy_revision=pin.policy_revision,
        model=pin.model,
        features_seen=pin.features_seen,
        features_hash=pin.features_hash,
    )


async def write_decisions(table: Table[Decision], pins: Sequence[Pin], clock: Clock) -> list[bool]:
    """Write the decisions of claims whose money has moved; return which stand."""
    if not pins:
        return []
    units = [
        Unit([Put(decision_of(pin))], token=token(clock, "decision", pin.claim_id)) for pin in pins
    ]
    return succeeded(await table.batch_write(units))
