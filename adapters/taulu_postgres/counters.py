"""Counters with bounds and holds: read behind their locks, decided in memory, written at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from taulu.codec import timestamp_from_us
from taulu.model import (
    INT64_MAX,
    INT64_MIN,
    BoundExceeded,
    Bounds,
    Changed,
    Commit,
    Counter,
    CounterChange,
    Failed,
    GetCounters,
    HoldExists,
    HoldNotFound,
    Increment,
    InvalidArgument,
    Key,
    Release,
    Reserve,
    TauluError,
)
from taulu_postgres import counter_statements
from taulu_postgres._driver import Call, Many, SqlRow
from taulu_postgres.columns import expire_time
from taulu_postgres.counter_statements import Hold
from taulu_postgres.slots import lock
from taulu_postgres.stored import StoredTable
from taulu_postgres.tokens import TokenBook, read_tokens
from taulu_postgres.transaction import Decision, Plan


def check_change(stored: StoredTable, change: CounterChange) -> None:
    """Raise when a value of a change cannot be stored."""
    stored.keys.partition(change.key.partition)
    stored.keys.clustering(change.key.clustering)
    stored.key_values(change.key)
    if not isinstance(change, Increment):
        change.hold_id.encode()


def get_call(stored: StoredTable, operation: GetCounters, now_us: int, as_of: str) -> Call:
    """Return the statement that reads counters."""
    return counter_statements.get(stored, operation.keys, timestamp_from_us(now_us), as_of)


def counters_of(keys: Sequence[Key], found: list[SqlRow]) -> tuple[Counter, ...]:
    """Return what `get_call` found per key; a counter that was never written is 0."""
    counters = [Counter(key, 0) for key in keys]
    for place, value, version, increase, decrease in found:
        key: Key = keys[int(place) - 1]
        counters[int(place) - 1] = Counter(
            key, value or 0, int(increase), int(decrease), version or 0
        )
    return tuple(counters)


def plan_changes(
    stored: StoredTable, changes: Sequence[CounterChange], now_us: int
) -> Plan[Changed]:
    """Plan a batch of changes."""
    keys = list(dict.fromkeys(change.key for change in changes))
    named = list(dict.fromkeys((c.key, c.hold_id) for c in changes if not isinstance(c, Increment)))
    now = timestamp_from_us(now_us)
    reads = [
        lock(stored.names, stored.id, (stored.slot(key.partition) for key in keys)),
        read_tokens(stored, changes),
        counter_statements.get(stored, keys, now),
        counter_statements.get_holds(stored, named, now),
    ]

    def decide(answers: list[list[SqlRow]]) -> Decision[Changed]:
        _, tokens, counters, holds = answers
        draft = _Draft(
            stored,
            now_us,
            {counter.key: counter for counter in counters_of(keys, counters)},
            {named[place - 1]: amount for place, amount in holds},
        )
        book = TokenBook(stored, tokens, now_us)
        outcomes = [draft.outcome(book, change) for change in changes]
        return Decision(outcomes, [*draft.calls(), *book.calls()])

    return Plan(reads, decide)


@dataclass(slots=True)
class _Draft:
    """The counters and holds of a batch, as they are after the changes decided so far."""

    stored: StoredTable
    now_us: int
    counters: dict[Key, Counter]
    active: dict[tuple[Key, str], int]
    """The amounts of the holds that the batch names and that are there."""
    changed: set[Key] = field(default_factory=set[Key])
    ended: set[tuple[Key, str]] = field(default_factory=set["tuple[Key, str]"])
    made: dict[tuple[Key, str], int] = field(default_factory=dict["tuple[Key, str]", int])
    """Expiry of each hold that the batch sets up."""

    def outcome(self, book: TokenBook, change: CounterChange) -> Changed | Failed:
        try:
            return self._decide(book, change)
        except TauluError as error:
            return Failed(error)

    def calls(self) -> list[Call | Many]:
        """Return the statements that bring counters and holds to what the draft says."""
        if not self.changed:
            return []
        stored, keys = self.stored, list(self.changed)
        gone = [held for held in self.ended if held not in self.made]
        made = [
            Hold(key, hold_id, self.active[key, hold_id], expire_time(expire_us))
            for (key, hold_id), expire_us in self.made.items()
        ]
        return [
            # What a change counts as gone must stay gone, should the clock step back.
            counter_statements.delete_expired(stored, keys, timestamp_from_us(self.now_us)),
            *([counter_statements.delete_holds(stored, gone)] if gone else []),
            *([counter_statements.put_holds(stored, made)] if made else []),
            counter_statements.upsert(stored, [self.counters[key] for key in keys]),
        ]

    def _decide(self, book: TokenBook, change: CounterChange) -> Changed:
        before = book.recall(change)
        if before is not None:
            counter = Counter(change.key, *before[:4])
            return Changed(counter, hold_expire_us=before[4] if len(before) > 4 else None)
        now = self.counters[change.key]
        hold_expire_us = None
        match change:
            case Increment(delta=delta):
                self._check(now, change.bounds, delta)
                after = replace(now, value=now.value + delta)
            case Reserve():
                after, hold_expire_us = self._reserve(now, change)
            case Commit() | Release():
                after = self._end(now, change)
        after = replace(after, version=max(self.now_us, now.version + 1))
        self.counters[change.key] = after
        self.changed.add(change.key)
        result = after.value, after.held_increase, after.held_decrease, after.version
        book.remember(change, *result, *(() if hold_expire_us is None else (hold_expire_us,)))
        return Changed(after, hold_expire_us=hold_expire_us)

    def _reserve(self, now: Counter, change: Reserve) -> tuple[Counter, int]:
        """Set a hold up; return the counter after it, and when it ends by itself."""
        name = self.stored.table.full_name
        if change.amount == 0:
            raise InvalidArgument(
                f"a hold of 0 on {name} reserves nothing; reserve an amount above zero against "
                "the ceiling, or below zero against the floor"
            )
        held = change.key, change.hold_id
        if held in self.active:
            raise HoldExists(
                f"counter of {name} already has an active hold {change.hold_id!r}; commit or "
                "release it, or choose another hold_id",
                details={"hold_id": change.hold_id},
            )
        self._check(now, change.bounds, change.amount)
        after = _hold(now, change.amount)
        if not INT64_MIN <= after.held_decrease <= after.held_increase <= INT64_MAX:
            bound = INT64_MAX if change.amount > 0 else INT64_MIN
            self._refuse(now, change.amount, ("ceiling" if change.amount > 0 else "floor", bound))
        self.active[held] = change.amount
        self.made[held] = self.now_us + change.ttl_us
        return after, self.made[held]

    def _end(self, now: Counter, change: Commit | Release) -> Counter:
        """End a hold; return the counter after it."""
        key_and_id = change.key, change.hold_id
        held = self.active.get(key_and_id)
        if held is None:
            raise HoldNotFound(
                f"counter of {self.stored.table.full_name} has no active hold "
                f"{change.hold_id!r}: it expired, was settled, or never was; reserve again",
                details={"hold_id": change.hold_id},
            )
        amount = 0
        if isinstance(change, Commit):
            amount = held if change.amount is None else change.amount
        if abs(amount) > abs(held) or amount * held < 0:
            raise InvalidArgument(
                f"hold {change.hold_id!r} is of {held}, so {amount} of it cannot be committed; "
                "commit at most what is held, of the same sign",
                details={"hold_id": change.hold_id, "held": str(held), "asked": str(amount)},
            )
        if not INT64_MIN <= now.value + amount <= INT64_MAX:
            self._refuse(now, amount, ("ceiling", INT64_MAX))
        del self.active[key_and_id]
        self.made.pop(key_and_id, None)
        self.ended.add(key_and_id)
        return replace(_let_go(now, held), value=now.value + amount)

    def _check(self, now: Counter, asked: Bounds, amount: int) -> None:
        """Refuse a step past the bound that it moves toward, with all holds counted."""
        own = self.stored.table.bounds
        floors = [INT64_MIN, *(f for f in (own.floor, asked.floor) if f is not None)]
        ceilings = [INT64_MAX, *(c for c in (own.ceiling, asked.ceiling) if c is not None)]
        if amount > 0 and now.value + now.held_increase + amount > min(ceilings):
            self._refuse(now, amount, ("ceiling", min(ceilings)))
        if amount < 0 and now.value + now.held_decrease + amount < max(floors):
            self._refuse(now, amount, ("floor", max(floors)))

    def _refuse(self, now: Counter, asked: int, bound: tuple[str, int]) -> NoReturn:
        name, limit = bound
        raise BoundExceeded(
            f"a change of {asked} to a counter of {self.stored.table.full_name} would pass its "
            f"{name} of {limit}: its value is {now.value}, its holds are {now.held_increase} and "
            f"{now.held_decrease}; ask for less, or wait until holds end",
            details={
                "value": str(now.value),
                "held_increase": str(now.held_increase),
                "held_decrease": str(now.held_decrease),
                name: str(limit),
                "asked": str(asked),
            },
        )


def _hold(now: Counter, amount: int) -> Counter:
    """Return the counter with one more hold of an amount."""
    if amount > 0:
        return replace(now, held_increase=now.held_increase + amount)
    return replace(now, held_decrease=now.held_decrease + amount)


def _let_go(now: Counter, amount: int) -> Counter:
    """Return the counter without a hold of an amount."""
    if amount > 0:
        return replace(now, held_increase=now.held_increase - amount)
    return replace(now, held_decrease=now.held_decrease - amount)
