"""The credit policy: which arm a claim is offered, and how a new revision takes over.

The score of a claim is what the customer is expected to spend in the coming 26 weeks (by
BG/NBD, from `features.online`) over what is asked: keep customers who are worth more than the
refund costs. At or above `full_above` the offer is the full amount, at or above `part_above`
a part of it, below that nothing. A few claims, drawn by a hash of their id, are offered any arm
with equal chance, so that later evaluation can weigh decisions by their propensity.

`refunds.policies` holds each revision for good under `name@revision`, and the one in force
under `name`, which moves by compare-and-set: of two publishers of one revision, one wins.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from taulu_client import IfAbsent, IfVersion, Table, errors
from taulu_refunds.failure import JobError

TABLE = "refunds.policies"
POLICY_NAME = "credit"


class Arm(StrEnum):
    """What a customer can be offered, dearest first."""

    FULL = "full"
    PART = "part"
    NONE = "none"


ARMS = tuple(Arm)


@dataclass(frozen=True, slots=True)
class Policy:
    """One revision of the policy: a row of `refunds.policies`."""

    name: str
    revision: int
    full_above: float
    part_above: float
    part_percent: int
    """What the smaller credit pays, in percent of what is asked."""
    explore_percent: int
    """How many claims in a hundred are offered any arm."""
    model: str
    """The model that the expected spend comes from."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the policy offers first, before any budget has its say."""

    arm: Arm
    score: float
    propensity: float
    """The chance with which this arm was chosen."""


def amount_cents(policy: Policy, arm: Arm, asked_cents: int) -> int:
    """Return what an arm pays on a claim."""
    match arm:
        case Arm.FULL:
            return asked_cents
        case Arm.PART:
            return asked_cents * policy.part_percent // 100
        case Arm.NONE:
            return 0


def cheaper(arm: Arm) -> Arm:
    """Return the next cheaper arm; nothing is cheaper than none."""
    return ARMS[min(ARMS.index(arm) + 1, len(ARMS) - 1)]


def choose(policy: Policy, claim_id: str, asked_cents: int, expected_spend_cents: float) -> Choice:
    """Choose an arm. The same claim under the same revision is always offered the same."""
    score = expected_spend_cents / asked_cents
    greedy = Arm.NONE
    if score >= policy.full_above:
        greedy = Arm.FULL
    elif score >= policy.part_above:
        greedy = Arm.PART
    explored = policy.explore_percent / 100
    draw, pick = _draws(f"{policy.name}@{policy.revision}:{claim_id}")
    arm = ARMS[int(pick * len(ARMS))] if draw < explored else greedy
    propensity = explored / len(ARMS) + (1 - explored) * (arm is greedy)
    return Choice(arm, score, propensity)


def _draws(text: str) -> tuple[float, float]:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (
        int.from_bytes(digest[:4], "big") / 2**32,
        int.from_bytes(digest[4:], "big") / 2**32,
    )


async def read_policy(table: Table[Policy], name: str = POLICY_NAME) -> Policy:
    """Return the policy in force.

    Raises:
        JobError: None was published.
    """
    item = await table.get(name)
    if item is None:
        raise JobError(f"no policy {name!r} in {TABLE}; publish one first")
    return item.row


async def publish(table: Table[Policy], policy: Policy) -> bool:
    """Put a revision in force if the one before it is; return whether this call did.

    Publishing again what is in force, or was, changes nothing.

    Raises:
        JobError: The revision in force is not the one before this one.
    """
    archived = replace(policy, name=f"{policy.name}@{policy.revision}")
    try:
        await table.insert(archived)
    except errors.ConditionFailed:
        kept = await table.get(archived.name)
        if kept is None or kept.row != archived:
            raise JobError(
                f"revision {policy.revision} of policy {policy.name!r} is already published "
                "with other terms; publish yours under the next revision"
            ) from None
    head = await table.get(policy.name)
    in_force = head.row.revision if head else 0
    if in_force >= policy.revision:
        return False
    if in_force != policy.revision - 1:
        raise JobError(
            f"policy {policy.name!r} is at revision {in_force}, so revision "
            f"{policy.revision} cannot follow it; publish revision {in_force + 1}"
        )
    condition = IfVersion(policy.name, head.version) if head else IfAbsent(policy.name)
    try:
        await table.put(policy, conditions=(condition,))
    except errors.ConditionFailed:
        return False
    return True
