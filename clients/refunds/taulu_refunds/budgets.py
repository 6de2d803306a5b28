"""Budgets: money by scope, region, day and shard, in bounded counters.

A counter's value is the money left. Its floor is 0, so that no sum of payments and holds can
pass the budget. A hot budget is split into shards; a claim's shard follows from its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta

from taulu_client import CounterTable, LogTable
from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.claims import REGIONS, SCOPES, Claim
from taulu_refunds.concurrency import map_bounded
from taulu_refunds.events import FUNDED, Event, append_events
from taulu_refunds.moments import FIRST_CLAIM_DAY
from taulu_refunds.nonces import Clock, token

TABLE = "refunds.budgets"
SHARDS = 2
"""How many counters share a budget, so that no one of them is hot."""
_LEAST_CENTS = 2_000
_BUDGET_PERCENT = 30
_CALLS_IN_FLIGHT = 16


def shard_of(claim_id: str, shard_count: int = SHARDS) -> int:
    """Return the shard of a claim: always the same one."""
    digest = hashlib.blake2b(claim_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % shard_count


def plan_budgets(
    claims: Iterable[Claim], days: int, shard_count: int = SHARDS
) -> dict[BudgetKey, int]:
    """Return cents by budget: 30 % of what is asked of each, so that many run out.

    The day after the last has budgets too, of the least size: claims made just before
    midnight may be pinned just after.
    """
    dates = [str(FIRST_CLAIM_DAY + timedelta(days=offset)) for offset in range(days + 1)]
    asked = {
        BudgetKey(scope, region, day, shard): 0
        for scope in SCOPES
        for region in REGIONS
        for day in dates
        for shard in range(shard_count)
    }
    for claim in claims:
        day = str(claim.claimed_at.date())
        shard = shard_of(claim.claim_id, shard_count)
        asked[BudgetKey(claim.scope, claim.region, day, shard)] += claim.asked_cents
    return {key: max(_LEAST_CENTS, cents * _BUDGET_PERCENT // 100) for key, cents in asked.items()}


async def fund_budgets(
    budgets: CounterTable, log: LogTable, plan: Mapping[BudgetKey, int], clock: Clock
) -> None:
    """Put each budget's money into its counter, once, and say so in the audit log."""

    async def fund(key: BudgetKey) -> None:
        await budgets.increment(key, plan[key], token=token(clock, "fund", *key))

    funded = [
        Event(
            subject=key.path,
            event=FUNDED,
            scope=key.scope,
            region=key.region,
            day=key.day,
            shard=key.shard,
            amount_cents=cents,
        )
        for key, cents in plan.items()
    ]
    await append_events(log, funded, clock)
    await map_bounded(fund, list(plan), _CALLS_IN_FLIGHT)
