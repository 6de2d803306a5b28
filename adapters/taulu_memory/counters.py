"""The counters of one table, with bounds and holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from taulu.model import (
    INT64_MAX,
    INT64_MIN,
    BoundExceeded,
    Bounds,
    Changed,
    Commit,
    Counter,
    CounterChange,
    HoldExists,
    HoldNotFound,
    Increment,
    InvalidArgument,
    Key,
    Release,
    Reserve,
    Table,
)
from taulu_memory.moment import Moment
from taulu_memory.tokens import TokenBook


@dataclass(slots=True)
class _State:
    value: int = 0
    version: int = 0
    holds: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Amount and expiry by hold id."""

    def active(self, now_us: int) -> dict[str, int]:
        """Drop holds that have expired, and return the amounts of the others."""
        self.holds = {h: (a, end) for h, (a, end) in self.holds.items() if end > now_us}
        return {hold_id: amount for hold_id, (amount, _) in self.holds.items()}


@dataclass(slots=True)
class Counters:
    """All counters of a table; one that was never written is 0."""

    table: Table
    tokens: TokenBook[Changed]
    held: dict[Key, _State] = field(default_factory=dict[Key, _State])

    def get(self, key: Key, now_us: int) -> Counter:
        """Return a counter's state."""
        state = self.held.get(key, _State())
        amounts = state.active(now_us).values()
        return Counter(
            key,
            state.value,
            sum(amount for amount in amounts if amount > 0),
            sum(amount for amount in amounts if amount < 0),
            state.version,
        )

    def change(self, change: CounterChange, moment: Moment) -> Changed:
        """Apply a change once.

        Raises:
            BoundExceeded: Value and holds would leave the bounds, or 64 bits.
            HoldExists: A reserve names an active hold.
            HoldNotFound: A commit or a release names no active hold.
            InvalidArgument: A reserve of nothing, or a commit of what was not held.
            TokenReused: The token has named another effect.
        """
        before = self.tokens.recall(change, moment.now_us)
        if before is not None:
            return before
        now = self.get(change.key, moment.now_us)
        state = self.held.get(change.key, _State())
        hold_expire_us = None
        match change:
            case Increment(delta=delta, bounds=bounds):
                self._check(now, bounds, delta)
                state.value += delta
            case Reserve(hold_id=hold_id, ttl_us=ttl_us):
                self._check_reserve(now, state, change)
                hold_expire_us = moment.now_us + ttl_us
                state.holds[hold_id] = (change.amount, hold_expire_us)
            case Commit():
                amount = self._check_commit(now, state, change)
                del state.holds[change.hold_id]
                state.value += amount
            case Release(hold_id=hold_id):
                self._held_amount(state, hold_id)
                del state.holds[hold_id]
        state.version = moment.version()
        self.held[change.key] = state
        changed = Changed(self.get(change.key, moment.now_us), hold_expire_us)
        self.tokens.remember(change, changed, moment.now_us)
        return changed

    def _check_reserve(self, now: Counter, state: _State, change: Reserve) -> None:
        if change.amount == 0:
            raise InvalidArgument(
                f"a hold of 0 on {self.table.full_name} reserves nothing; reserve an amount"
            )
        if change.hold_id in state.holds:
            raise HoldExists(
                f"{self.table.full_name} already has an active hold {change.hold_id!r}; settle "
                "it, or choose another hold_id",
                details={"hold_id": change.hold_id},
            )
        self._check(now, change.bounds, change.amount)
        if now.held_increase + change.amount > INT64_MAX:
            self._refuse(now, change.amount, "ceiling", INT64_MAX)
        if now.held_decrease + change.amount < INT64_MIN:
            self._refuse(now, change.amount, "floor", INT64_MIN)

    def _check_commit(self, now: Counter, state: _State, change: Commit) -> int:
        held = self._held_amount(state, change.hold_id)
        amount = held if change.amount is None else change.amount
        if abs(amount) > abs(held) or amount * held < 0:
            raise InvalidArgument(
                f"hold {change.hold_id!r} is of {held}, so {amount} of it cannot be committed",
                details={"hold_id": change.hold_id, "held": str(held), "asked": str(amount)},
            )
        if not INT64_MIN <= now.value + amount <= INT64_MAX:
            self._refuse(now, amount, "ceiling", INT64_MAX)
        return amount

    def _held_amount(self, state: _State, hold_id: str) -> int:
        if hold_id not in state.holds:
            raise HoldNotFound(
                f"{self.table.full_name} has no active hold {hold_id!r}: it expired, was "
                "settled, or never was; reserve again",
                details={"hold_id": hold_id},
            )
        return state.holds[hold_id][0]

    def _check(self, now: Counter, asked: Bounds, amount: int) -> None:
        """Refuse a step past the bound that it moves toward, with all holds counted."""
        own = self.table.bounds
        floors = [INT64_MIN, *(f for f in (own.floor, asked.floor) if f is not None)]
        ceilings = [INT64_MAX, *(c for c in (own.ceiling, asked.ceiling) if c is not None)]
        if amount > 0 and now.value + now.held_increase + amount > min(ceilings):
            self._refuse(now, amount, "ceiling", min(ceilings))
        if amount < 0 and now.value + now.held_decrease + amount < max(floors):
            self._refuse(now, amount, "floor", max(floors))

    def _refuse(self, now: Counter, asked: int, bound: str, limit: int) -> NoReturn:
        raise BoundExceeded(
            f"a change of {asked} to a counter of {self.table.full_name} would pass its {bound} "
            f"of {limit}; ask for less, or wait until holds end",
            details={
                "value": str(now.value),
                "held_increase": str(now.held_increase),
                "held_decrease": str(now.held_decrease),
                bound: str(limit),
                "asked": str(asked),
            },
        )
