"""Counters: changes as runs of a script, its answers as outcomes, and reads."""

from __future__ import annotations

from typing import cast

from taulu.model import (
    INT64_MAX,
    INT64_MIN,
    BoundExceeded,
    Bounds,
    Changed,
    Commit,
    Counter,
    CounterChange,
    CounterOutcome,
    CounterRead,
    Failed,
    HoldExists,
    HoldNotFound,
    Increment,
    InvalidArgument,
    Key,
    Release,
    Reserve,
    TauluError,
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
            return ["increment", delta, *_limits(layout, bounds)]
        case Reserve(amount=amount, hold_id=hold_id, ttl_us=ttl_us, bounds=bounds):
            return ["reserve", amount, hold_id, now_us + ttl_us, *_limits(layout, bounds)]
        case Commit(hold_id=hold_id, amount=amount):
            return ["commit", hold_id, "" if amount is None else amount]
        case Release(hold_id=hold_id):
            return ["release", hold_id]


def _limits(layout: Layout, asked: Bounds) -> tuple[int, int]:
    """Return the tighter floor and ceiling of table and change; 64 bits where there is none."""
    own = layout.table.bounds
    floors = [floor for floor in (own.floor, asked.floor) if floor is not None]
    ceilings = [ceiling for ceiling in (own.ceiling, asked.ceiling) if ceiling is not None]
    return max(floors, default=INT64_MIN), min(ceilings, default=INT64_MAX)


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
    name = layout.table.full_name
    hold_id = "" if isinstance(change, Increment) else change.hold_id
    match verdict:
        case "bound":
            return _bound_exceeded(name, facts)
        case "exists":
            return HoldExists(
                f"{name} already has an active hold {hold_id!r}; settle it, or choose another "
                "hold_id",
                details={"hold_id": hold_id},
            )
        case "missing":
            return HoldNotFound(
                f"{name} has no active hold {hold_id!r}: it expired, was settled, or never was; "
                "reserve again",
                details={"hold_id": hold_id},
            )
        case "part":
            held, asked = facts
            return InvalidArgument(
                f"hold {hold_id!r} is of {held}, so {asked} of it cannot be committed",
                details={"hold_id": hold_id, "held": held, "asked": asked},
            )
        case "nothing":
            return InvalidArgument(f"a hold of 0 on {name} reserves nothing; reserve an amount")
        case _:
            return reused(name, change)


def _bound_exceeded(table: str, facts: list[str]) -> BoundExceeded:
    bound, limit, value, increase, decrease, asked = facts
    return BoundExceeded(
        f"a change of {asked} to a counter of {table} would pass its {bound} of {limit}; ask for "
        "less, or wait until holds end",
        details={
            "value": value,
            "held_increase": increase,
            "held_decrease": decrease,
            bound: limit,
            "asked": asked,
        },
    )


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
