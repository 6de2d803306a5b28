"""Counters: the value in static columns, a row per hold; one partition as the ground of steps.

Never Cassandra's own counters: those can be neither bounded nor sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taulu.model import (
    Counter,
    CounterChange,
    Increment,
    Key,
    Reserve,
)
from taulu.spi import after_change
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

    def held(self, hold_id: str) -> int | None:
        """Return the amount of an active hold; None if there is none."""
        amount, _ = self.holds.get(hold_id, (None, 0))
        return amount


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
        now = state.counter(self.key)
        held = None if isinstance(effect, Increment) else state.held(effect.hold_id)
        after = after_change(self.stored.layout.table, now, held, effect)
        extra: tuple[int, ...] = ()
        if isinstance(effect, Reserve):
            expire_us = state.now_us + effect.ttl_us
            state.holds[effect.hold_id] = (effect.amount, expire_us)
            extra = (expire_us,)
        elif not isinstance(effect, Increment):
            del state.holds[effect.hold_id]
        state.value, state.version = after.value, version
        return (after.value, after.held_increase, after.held_decrease, version, *extra)

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
