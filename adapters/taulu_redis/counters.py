"""Counters: changes as runs of a script, its answers as outcomes, and reads."""

from __future__ import annotations

from typing import cast

from taulu.model import (
    Changed,
    Commit,
    Counter,
    CounterChange,
    CounterOutcome,
    CounterRead,
    Failed,
    Increment,
    Key,
    Release,
    Reserve,
    TauluError,
)
from taulu.spi import (
    bound_exceeded,
    empty_hold,
    hold_exists,
    hold_not_found,
    limits,
    not_held,
)
from taulu_redis._driver import Argument, Reply
from taulu_redis.calls import Command
from taulu_redis.layout import Layout
from taulu_redis.scripts import CHANGE_COUNTER, READ_COUNTER
from taulu_redis.tokens import Moment, reused, token_key


def command_for(layout: Layout, change: CounterChange, moment: Moment) -> Command:
    """Return the run of a script that makes a change."""
    spot = layout.spots.of(change.key.partition)
    keys = [spot.key("counter"), spot.key("holds"), spot.key("hold_ends")]
    keys += [spot.shared("clock"), token_key(spot, change)]
    arguments = [*moment.opening(change), *_what(layout, change, moment.now_us)]
    return Command.run(CHANGE_COUNTER, keys, arguments)


def _what(layout: Layout, change: CounterChange, now_us: int) -> list[Argument]:
    match change:
        case Increment(delta=delta, bounds=bounds):
            return ["increment", delta, *limits(layout.table, bounds)]
        case Reserve(amount=amount, hold_id=hold_id, ttl_us=ttl_us, bounds=bounds):
            return ["reserve", amount, hold_id, now_us + ttl_us, *limits(layout.table, bounds)]
        case Commit(hold_id=hold_id, amount=amount):
            return ["commit", hold_id, "" if amount is None else amount]
        case Release(hold_id=hold_id):
            return ["release", hold_id]


def outcome_of(layout: Layout, change: CounterChange, answer: Reply | TauluError) -> CounterOutcome:
    """Return the outcome of a change from what its script answered."""
    if isinstance(answer, TauluError):
        return Failed(answer)
    verdict, *facts = [part.decode() for part in cast("list[bytes]", answer)]
    if verdict == "done":
        value, increase, decrease, version, end = facts[0].split(" ")
        counter = Counter(change.key, int(value), int(increase), int(decrease), int(version))
        return Changed(counter, None if end == "-" else int(end))
    return Failed(_refusal(layout, change, verdict, facts))


def _refusal(layout: Layout, change: CounterChange, verdict: str, facts: list[str]) -> TauluError:
    table = layout.table
    hold_id = "" if isinstance(change, Increment) else change.hold_id
    match verdict:
        case "bound":
            name, *numbers = facts
            limit, value, increase, decrease, asked = (int(number) for number in numbers)
            now = Counter(change.key, value, increase, decrease)
            return bound_exceeded(table, now, asked, (name, limit))
        case "exists":
            return hold_exists(table, hold_id)
        case "missing":
            return hold_not_found(table, hold_id)
        case "part":
            held, asked = (int(fact) for fact in facts)
            return not_held(hold_id, held, asked)
        case "nothing":
            return empty_hold(table)
        case _:
            return reused(table.full_name, change)


def read_command(layout: Layout, key: Key, now_us: int) -> Command:
    """Return the run of a script that reads a counter."""
    spot = layout.spots.of(key.partition)
    keys = [spot.key("counter"), spot.key("holds"), spot.key("hold_ends")]
    return Command.run(READ_COUNTER, keys, [now_us])


def counter_of(key: Key, answer: Reply | TauluError) -> CounterRead:
    """Return a counter from what was read; holds that have ended are taken off."""
    if isinstance(answer, TauluError):
        return Failed(answer)
    value, increase, decrease, version, *ended = [int(part) for part in cast("list[bytes]", answer)]
    increase -= sum(amount for amount in ended if amount > 0)
    decrease -= sum(amount for amount in ended if amount < 0)
    return Counter(key, value, increase, decrease, version)
