"""Counters: the value in static columns, a row per hold; one partition as the ground of steps.

Never Cassandra's own counters: those can be neither bounded nor sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from taulu.model import (
    INT64_MAX,
    INT64_MIN,
    BoundExceeded,
    Bounds,
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
)
from taulu_cassandra import statements
from taulu_cassandra._driver import Bound, CqlRow, CqlValue, Native
from taulu_cassandra.calls import Call
from taulu_cassandra.steps import Head
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.tokens import Result, read_kept


@dataclass(slots=True)
class CounterState:
    """A counter, its holds as they were read, and as they are to be."""

    now_us: int
    value: int
    version: int
    found: Mapping[str, tuple[int, int]]
    """Every hold that has a row, expired ones included."""
    holds: dict[str, tuple[int, int]]
    """Amount and expiry of each active hold."""

    def counter(self, key: Key) -> Counter:
        """Return the state as callers see it."""
        amounts = [amount for amount, _ in self.holds.values()]
        return Counter(
            key,
            self.value,
            sum(amount for amount in amounts if amount > 0),
            sum(amount for amount in amounts if amount < 0),
            self.version,
        )


async def read_counter(
    stored: StoredTable, key: Key, level: Native, call: Call
) -> tuple[Head, CounterState]:
    """Read a counter with its holds; one that was never written has value 0."""
    layout = stored.layout
    text = statements.select_counter(layout)
    bound = await stored.bind(text, *_key_values(stored, key))
    found = await stored.calls.read(bound, level, call)
    return _parse(found, stored.calls.clock.now_us())


def _key_values(stored: StoredTable, key: Key) -> tuple[CqlValue, ...]:
    layout = stored.layout
    clustering = layout.clustering_values(key.clustering)
    return (*layout.partition_values(key.partition), *clustering)


def _parse(found: Sequence[CqlRow], now_us: int) -> tuple[Head, CounterState]:
    if not found:
        return Head(None, ()), CounterState(now_us, 0, 0, {}, {})
    _, _, _, value, seq, last = found[0]
    holds = {hold: (amount, expire) for hold, amount, expire, *_ in found if hold is not None}
    active = {hold: held for hold, held in holds.items() if held[1] > now_us}
    state = CounterState(now_us, value or 0, seq or 0, holds, active)
    return Head(seq, read_kept(last)), state


@dataclass(frozen=True, slots=True)
class CounterGround:
    """One counter."""

    stored: StoredTable
    key: Key

    @property
    def place(self) -> tuple[CqlValue, ...]:
        """See `Ground.place`."""
        return _key_values(self.stored, self.key)

    async def load(self, effects: Sequence[CounterChange], call: Call) -> tuple[Head, CounterState]:
        """See `Ground.load`."""
        return await read_counter(self.stored, self.key, self.stored.layout.levels.serial, call)

    async def settle(self, state: CounterState, call: Call) -> None:
        """See `Ground.settle`; counters leave nothing but tokens in the head."""

    def apply(self, state: CounterState, effect: CounterChange, version: int) -> Result:
        """Apply a change in memory.

        Raises:
            BoundExceeded: Value and holds would leave the bounds, or 64 bits.
            HoldExists: A reserve names an active hold.
            HoldNotFound: A commit or a release names no active hold.
            InvalidArgument: A reserve of nothing, or a commit of what was not held.
        """
        extra: tuple[int, ...] = ()
        match effect:
            case Increment(delta=delta):
                self._check(state, effect.bounds, delta)
                state.value += delta
            case Reserve():
                extra = (self._reserve(state, effect),)
            case Commit():
                amount = self._committed(state, effect)
                del state.holds[effect.hold_id]
                state.value += amount
            case Release(hold_id=hold_id):
                self._held(state, hold_id)
                del state.holds[hold_id]
        state.version = version
        now = state.counter(self.key)
        return (now.value, now.held_increase, now.held_decrease, version, *extra)

    def _reserve(self, state: CounterState, change: Reserve) -> int:
        """Set a hold up and return when it ends by itself."""
        if change.amount == 0:
            raise InvalidArgument(
                f"a hold of 0 on {self.stored.name} reserves nothing; reserve an amount above "
                "zero against the ceiling, or below zero against the floor"
            )
        if change.hold_id in state.holds:
            raise HoldExists(
                f"counter of {self.stored.name} already has an active hold {change.hold_id!r}; "
                "commit or release it, or choose another hold_id",
                details={"hold_id": change.hold_id},
            )
        self._check(state, change.bounds, change.amount)
        expire_us = state.now_us + change.ttl_us
        state.holds[change.hold_id] = (change.amount, expire_us)
        return expire_us

    def _committed(self, state: CounterState, change: Commit) -> int:
        """Return how much of a hold is to be added to the value."""
        held = self._held(state, change.hold_id)
        amount = held if change.amount is None else change.amount
        if abs(amount) > abs(held) or amount * held < 0:
            raise InvalidArgument(
                f"hold {change.hold_id!r} is of {held}, so {amount} of it cannot be committed; "
                "commit at most what is held, of the same sign",
                details={"hold_id": change.hold_id, "held": str(held), "asked": str(amount)},
            )
        if not INT64_MIN <= state.value + amount <= INT64_MAX:
            self._refuse(state, amount, ("ceiling", INT64_MAX))
        return amount

    def _held(self, state: CounterState, hold_id: str) -> int:
        if hold_id not in state.holds:
            raise HoldNotFound(
                f"counter of {self.stored.name} has no active hold {hold_id!r}: it expired, was "
                "settled, or never was; reserve again",
                details={"hold_id": hold_id},
            )
        return state.holds[hold_id][0]

    def _check(self, state: CounterState, asked: Bounds, amount: int) -> None:
        """Refuse a step past the bound that it moves toward, with all holds counted."""
        own = self.stored.layout.table.bounds
        floors = [INT64_MIN, *(f for f in (own.floor, asked.floor) if f is not None)]
        ceilings = [INT64_MAX, *(c for c in (own.ceiling, asked.ceiling) if c is not None)]
        now = state.counter(self.key)
        if amount > 0 and now.value + now.held_increase + amount > min(ceilings):
            self._refuse(state, amount, ("ceiling", min(ceilings)))
        if amount < 0 and now.value + now.held_decrease + amount < max(floors):
            self._refuse(state, amount, ("floor", max(floors)))

    def _refuse(self, state: CounterState, asked: int, bound: tuple[str, int]) -> NoReturn:
        now, (name, limit) = state.counter(self.key), bound
        raise BoundExceeded(
            f"a change of {asked} to a counter of {self.stored.name} would pass its {name} of "
            f"{limit}: its value is {now.value}, its holds are {now.held_increase} and "
            f"{now.held_decrease}; ask for less, or wait until holds end",
            details={
                "value": str(now.value),
                "held_increase": str(now.held_increase),
                "held_decrease": str(now.held_decrease),
                name: str(limit),
                "asked": str(asked),
            },
        )

    async def finish(self, state: CounterState, call: Call) -> None:
        """See `Ground.finish`; the batch was all."""

    async def batch(self, state: CounterState, before: Head, after: Head) -> list[Bound]:
        """See `Ground.batch`. Holds that have expired go too, should the clock step back."""
        layout = self.stored.layout
        last = [kept.to_cql() for kept in after.last]
        values = (state.value, after.seq, last, *self.place, before.seq)
        batch = [await self.stored.bind(statements.set_counter(layout), *values)]
        for hold in state.found.keys() - state.holds.keys():
            text = statements.delete_hold(layout)
            batch.append(await self.stored.bind(text, *self.place, hold))
        for hold, (amount, expire_us) in state.holds.items():
            if state.found.get(hold) == (amount, expire_us):
                continue
            ttl_s = self.stored.native_ttl_s(expire_us)
            text = statements.put_hold(layout)
            batch.append(await self.stored.bind(text, *self.place, hold, amount, expire_us, ttl_s))
        return batch
