"""Deciding claims: each one along the arrows of the README, many at a time.

Every step is safe to take again, by this process or another: what it writes follows from the
pinned claim, under a token that follows from the claim too. So a decider that dies leaves
nothing that the next one to see the claim cannot finish.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from taulu_client import Item, errors
from taulu_refunds.budgets import shard_of
from taulu_refunds.claims import Delivery
from taulu_refunds.concurrency import map_bounded
from taulu_refunds.decisions import write_decisions
from taulu_refunds.events import DECIDED, SETTLED, Event, append_events
from taulu_refunds.failure import JobError
from taulu_refunds.nonces import Clock, token
from taulu_refunds.online import OnlineRow, read_online
from taulu_refunds.outcomes import RETRIABLE
from taulu_refunds.pin import Move, Pin, State
from taulu_refunds.policy import Arm, Policy, amount_cents, cheaper, choose
from taulu_refunds.stores import Stores

HOLD_MS = 20_000
STALLED_S_MAX = 120.0
"""How long a batch may stand still, in seconds, before its decider gives it up: longer than a
gateway that died, and a backend that it needs, take to come back."""
SETTLE_WITHIN = timedelta(hours=23)
"""How long after its pin a granted claim may be taken up again. The gateway remembers tokens for
a day (`token_window`); after that, sending a commit again could pay a second time."""
_CALLS_IN_FLIGHT = 16
_REST_S = 0.2
"""How long to rest after a round that found nothing moved, in seconds."""

_Seen = Item[Pin]
_Stand = frozenset[tuple[str, str, int]]
"""How far the claims of a batch are: the claim, its state and its attempt."""


def _nothing(step: str) -> None:
    del step


@dataclass(slots=True)
class Decider:
    """One decider, on its own client."""

    stores: Stores
    policy: Policy
    clock: Clock
    hold_ms: int = HOLD_MS
    before_step: Callable[[str], None] = _nothing
    """Called before every step that changes something; a test ends the process there."""
    stalled_s_max: float = STALLED_S_MAX
    _settled: dict[str, Pin] = field(default_factory=dict[str, Pin])

    async def decide(self, deliveries: Sequence[Delivery]) -> list[Pin]:
        """See every claim delivered through to its end; return them as settled, in order.

        Raises:
            JobError: Nothing moved for too long, or a claim needs a person.
            TauluError: A failure that no retry mends.
        """
        claims = {delivery.claim.claim_id: delivery for delivery in deliveries}
        self._settled = {}
        stand: _Stand = frozenset()
        moved_at = time.monotonic()
        while open_claims := {c: d for c, d in claims.items() if c not in self._settled}:
            failure: errors.TauluError | None = None
            try:
                found = await self._round(open_claims)
            except (errors.TransientError, errors.UncertainError) as error:
                # What happened is in the table: the next round reads it and goes on.
                found, failure = stand, error
            now = time.monotonic()
            if found != stand:
                stand, moved_at = found, now
                continue
            if now - moved_at > self.stalled_s_max:
                raise JobError(
                    f"{len(open_claims)} of {len(claims)} claims are not settled, and nothing has "
                    f"moved for {now - moved_at:.0f} s; see that the gateway and its backends "
                    "serve, then send them again"
                ) from failure
            await asyncio.sleep(_REST_S)
        return [self._settled[delivery.claim.claim_id] for delivery in deliveries]

    async def _round(self, claims: Mapping[str, Delivery]) -> _Stand:
        """Pin what is not pinned, and take every claim as far as it goes without a conflict.

        Returns how far the claims were when the round began.
        """
        seen = await self.stores.pins.read(list(claims))
        missing = [delivery for claim, delivery in claims.items() if claim not in seen]
        if missing:
            await self._pin(missing)
            seen |= await self.stores.pins.read([d.claim.claim_id for d in missing])
        for pin in (item.row for item in seen.values()):
            if pin.state == State.SETTLED:
                self._settled[pin.claim_id] = pin
        offered = [item for item in seen.values() if item.row.state == State.OFFERED]
        await self._grant(offered)
        granted = [item for item in seen.values() if item.row.state == State.GRANTED]
        too_old = [item for item in granted if self.clock() - item.row.pinned_at > SETTLE_WITHIN]
        await self._settle([item for item in granted if item not in too_old])
        if too_old:
            raise _needs_a_person([item.row.claim_id for item in too_old])
        return frozenset(
            (pin.claim_id, pin.state, pin.attempt) for pin in (item.row for item in seen.values())
        )

    async def _pin(self, deliveries: Sequence[Delivery]) -> None:
        """Choose an arm for each claim and pin it, unless another decider was first."""
        customers = [delivery.claim.customer_id for delivery in deliveries]
        features = await read_online(self.stores.online, customers)
        pins = [
            self._choose(delivery, features.get(delivery.claim.customer_id))
            for delivery in deliveries
        ]
        self.before_step("pin")
        await self.stores.pins.insert(pins)

    def _choose(self, delivery: Delivery, features: Item[OnlineRow] | None) -> Pin:
        claim = delivery.claim
        expected = 0.0 if features is None else features.row.expected_spend_cents
        choice = choose(self.policy, claim.claim_id, claim.asked_cents, expected)
        packed = b"" if features is None else features.row.features.tobytes()
        return Pin(
            claim_id=claim.claim_id,
            customer_id=claim.customer_id,
            scope=claim.scope,
            region=claim.region,
            day=str(delivery.delivered_at.date()),
            shard=shard_of(claim.claim_id),
            state=State.OFFERED.value,
            attempt=1,
            arm=choice.arm.value,
            amount_cents=amount_cents(self.policy, choice.arm, claim.asked_cents),
            chosen_arm=choice.arm.value,
            asked_cents=claim.asked_cents,
            part_cents=amount_cents(self.policy, Arm.PART, claim.asked_cents),
            hold_ms=self.hold_ms,
            score=choice.score,
            propensity=choice.propensity,
            policy_revision=self.policy.revision,
            model=self.policy.model,
            features_seen={} if features is None else {features.row.view: features.version},
            features_hash=hashlib.blake2b(packed, digest_size=16).hexdigest(),
            decided_at=delivery.delivered_at,
            pinned_at=self.clock(),
        )

    async def _grant(self, offered: Sequence[_Seen]) -> None:
        """Reserve each offer's money; offer less where the budget has not that much."""
        if not offered:
            return
        self.before_step("reserve")
        moves = await map_bounded(self._reserve, offered, _CALLS_IN_FLIGHT)
        self.before_step("grant")
        await self.stores.pins.move([move for move in moves if move is not None])

    async def _reserve(self, item: _Seen) -> Move | None:
        pin = item.row
        granted = Move(item, {"state": State.GRANTED.value})
        if pin.amount_cents == 0:
            return granted
        try:
            await self.stores.budgets.reserve(
                pin.budget,
                -pin.amount_cents,
                ttl=pin.hold_ttl,
                hold_id=pin.hold_id,
                token=token(self.clock, "reserve", pin.claim_id, pin.attempt),
            )
        except errors.BoundExceeded:
            arm = cheaper(Arm(pin.arm))
            return Move(
                item,
                {
                    "arm": arm.value,
                    "amount_cents": pin.amount_of(arm),
                    "attempt": pin.attempt + 1,
                },
            )
        except RETRIABLE:
            return None
        return granted

    async def _settle(self, granted: Sequence[_Seen]) -> None:
        """Move the money of granted claims, and write down that it moved."""
        if not granted:
            return
        self.before_step("decided")
        decided = [_event(item.row, DECIDED) for item in granted]
        said = await append_events(self.stores.events, decided, self.clock)
        told = [item for item, ok in zip(granted, said, strict=True) if ok]
        self.before_step("commit")
        outcomes = await map_bounded(self._commit, told, _CALLS_IN_FLIGHT)
        paid = [item for item, ok in zip(told, outcomes, strict=True) if ok]
        self.before_step("decision")
        stands = await write_decisions(
            self.stores.decisions, [item.row for item in paid], self.clock
        )
        written = [item for item, ok in zip(paid, stands, strict=True) if ok]
        self.before_step("settled")
        ended = [_event(item.row, SETTLED) for item in written]
        closed = await append_events(self.stores.events, ended, self.clock)
        done = [item for item, ok in zip(written, closed, strict=True) if ok]
        self.before_step("settle")
        await self.stores.pins.move([Move(item, {"state": State.SETTLED.value}) for item in done])

    async def _commit(self, item: _Seen) -> bool:
        """Move the money; when its hold ran out unused, go back to offer under a new one."""
        pin = item.row
        if pin.amount_cents == 0:
            return True
        try:
            await self.stores.budgets.commit(
                pin.budget, pin.hold_id, token=token(self.clock, "commit", pin.claim_id)
            )
        except errors.HoldNotFound:
            # Had anyone committed it, this token would have brought that commit's outcome.
            again = {"state": State.OFFERED.value, "attempt": pin.attempt + 1}
            await self.stores.pins.move([Move(item, again)])
            return False
        except errors.TokenReused:
            # A later attempt of this claim was paid under the same token: never twice.
            return False
        except RETRIABLE:
            return False
        return True


def _needs_a_person(claim_ids: Sequence[str]) -> JobError:
    return JobError(
        f"{len(claim_ids)} claims, {claim_ids[0]} among them, were granted and left alone for "
        f"more than {SETTLE_WITHIN}, so whether they were paid cannot be found out by sending "
        "again; compare their budgets with audit.events, then settle them by hand"
    )


def _event(pin: Pin, event: str) -> Event:
    return Event(
        subject=pin.claim_id,
        event=event,
        scope=pin.scope,
        region=pin.region,
        day=pin.day,
        shard=pin.shard,
        amount_cents=pin.amount_cents,
        customer_id=pin.customer_id,
        arm=pin.arm,
        attempt=pin.attempt,
        policy_revision=pin.policy_revision,
    )
