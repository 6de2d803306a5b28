"""Counters with bounds and holds: read behind their locks, decided in memory, written at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from taulu.codec import timestamp_from_us
from taulu.model import (
    Changed,
    Counter,
    CounterChange,
    Failed,
    GetCounters,
    Increment,
    Key,
    Reserve,
    TauluError,
)
from taulu.spi import after_change
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
        hold = None if isinstance(change, Increment) else (change.key, change.hold_id)
        held = None if hold is None else self.active.get(hold)
        after = after_change(self.stored.table, now, held, change)
        hold_expire_us = None
        if isinstance(change, Reserve):
            hold_expire_us = self._make(change)
        elif hold is not None:
            self._end(hold)
        after = replace(after, version=max(self.now_us, now.version + 1))
        self.counters[change.key] = after
        self.changed.add(change.key)
        result = after.value, after.held_increase, after.held_decrease, after.version
        book.remember(change, *result, *(() if hold_expire_us is None else (hold_expire_us,)))
        return Changed(after, hold_expire_us=hold_expire_us)

    def _make(self, change: Reserve) -> int:
        """Set a hold up; return when it ends by itself."""
        hold = change.key, change.hold_id
        self.active[hold] = change.amount
        self.made[hold] = self.now_us + change.ttl_us
        return self.made[hold]

    def _end(self, hold: tuple[Key, str]) -> None:
        del self.active[hold]
        self.made.pop(hold, None)
        self.ended.add(hold)
