"""Claims, GENERATED on real customers and their real purchases, and how they are sent.

No public data set of refund claims is known, so these are made up from a seed: who claims, on
which purchase and how much is real data; when, where and why is not. Every claim is sent
three times, as a front end with retries would: at first, again within 80 minutes (so that two
deciders often meet on it), and once more after the next midnight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np

from taulu_refunds.moments import FIRST_CLAIM_DAY
from taulu_refunds.purchases import Purchase

SCOPES = ("damaged", "late", "missing")
REGIONS = ("east", "north", "south", "west")
COPIES = 3
_ASKED_CENTS_MIN = 500
_RESEND_SECONDS_MAX = 80 * 60
_NEAR_MIDNIGHT_SHARE = 0.1
_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Claim:
    """A customer asks for the price of a purchase."""

    claim_id: str
    customer_id: str
    event_id: str
    """The purchase, as in `features.history`."""
    scope: str
    region: str
    asked_cents: int
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of a claim."""

    claim: Claim
    copy: int
    """1, 2 or 3."""
    delivered_at: datetime
    """Business time at which a decider sees it; the budget's day, if it is the first to pin."""


def generate(purchases: Sequence[Purchase], seed: int, count: int, days: int) -> list[Claim]:
    """Return `count` claims on different purchases, over `days` days, from a seed.

    Raises:
        ValueError: There are fewer purchases of at least 5.00 than claims asked for.
    """
    eligible = [p for p in purchases if p.amount_cents >= _ASKED_CENTS_MIN]
    if count > len(eligible):
        raise ValueError(f"{count} claims need as many purchases; there are {len(eligible)}")
    rng = np.random.default_rng([seed, count, days])
    chosen = rng.choice(len(eligible), count, replace=False)
    return [
        _claim(eligible[int(index)], f"claim-{seed}-{number:06d}", days, rng)
        for number, index in enumerate(chosen)
    ]


def _claim(purchase: Purchase, claim_id: str, days: int, rng: np.random.Generator) -> Claim:
    near_midnight = bool(rng.random() < _NEAR_MIDNIGHT_SHARE)
    earliest = _DAY_SECONDS - _RESEND_SECONDS_MAX if near_midnight else 0
    return Claim(
        claim_id=claim_id,
        customer_id=purchase.customer_id,
        event_id=purchase.event_id,
        scope=SCOPES[int(rng.integers(len(SCOPES)))],
        region=REGIONS[int(purchase.customer_id) % len(REGIONS)],
        asked_cents=purchase.amount_cents,
        claimed_at=datetime.combine(FIRST_CLAIM_DAY, time.min, tzinfo=UTC)
        + timedelta(
            days=int(rng.integers(days)), seconds=int(rng.integers(earliest, _DAY_SECONDS))
        ),
    )


def deliveries(claims: Sequence[Claim], seed: int) -> list[Delivery]:
    """Return every claim three times, in the order of business time."""
    rng = np.random.default_rng([seed, len(claims)])
    sent: list[Delivery] = []
    for claim in claims:
        again = timedelta(seconds=int(rng.integers(1, _RESEND_SECONDS_MAX)))
        sent.append(Delivery(claim, 1, claim.claimed_at))
        sent.append(Delivery(claim, 2, claim.claimed_at + again))
        sent.append(Delivery(claim, 3, claim.claimed_at + timedelta(days=1)))
    return sorted(sent, key=lambda delivery: (delivery.delivered_at, delivery.claim.claim_id))


def delivery_to_json(delivery: Delivery) -> dict[str, str | int]:
    """Return the delivery as plain values, for a line to a decider."""
    claim = delivery.claim
    return {
        "claim_id": claim.claim_id,
        "customer_id": claim.customer_id,
        "event_id": claim.event_id,
        "scope": claim.scope,
        "region": claim.region,
        "asked_cents": claim.asked_cents,
        "claimed_at": claim.claimed_at.isoformat(),
        "copy": delivery.copy,
        "delivered_at": delivery.delivered_at.isoformat(),
    }


def delivery_from_json(fields: Mapping[str, str | int]) -> Delivery:
    """Read back what `delivery_to_json` made."""
    claim = Claim(
        claim_id=str(fields["claim_id"]),
        customer_id=str(fields["customer_id"]),
        event_id=str(fields["event_id"]),
        scope=str(fields["scope"]),
        region=str(fields["region"]),
        asked_cents=int(fields["asked_cents"]),
        claimed_at=datetime.fromisoformat(str(fields["claimed_at"])),
    )
    return Delivery(claim, int(fields["copy"]), datetime.fromisoformat(str(fields["delivered_at"])))
