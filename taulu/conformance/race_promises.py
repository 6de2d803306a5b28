"""Races: many callers at once, and every history one that a single caller could have made."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from taulu.conformance.linearizability import Event, is_linearizable
from taulu.conformance.models import (
    NO_ROW,
    REFUSED,
    Add,
    CompareAndSet,
    CounterCall,
    CounterModel,
    CounterSeen,
    Hold,
    PutRow,
    ReadCounter,
    ReadRow,
    RowCall,
    RowModel,
    Settle,
)
from taulu.conformance.promises import Promises, seeded
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, CEILING, EVENTS, ITEMS, ORDERS
from taulu.model import (
    BoundExceeded,
    Commit,
    ConditionFailed,
    Consistency,
    Failed,
    FromOffset,
    GetCounters,
    GetRows,
    HoldNotFound,
    IfAbsent,
    IfColumns,
    Increment,
    Key,
    Kind,
    Level,
    NewRecord,
    Put,
    Release,
    Reserve,
    Row,
    Written,
)
from taulu.spi import Feature

CallT = TypeVar("CallT")
SeenT = TypeVar("SeenT")

_WRITERS = 50
_CALLERS = 6
_CALLS_EACH = 8
_MINUTE_US = 60_000_000


class RacePromises(Promises):
    """Promises that only show when callers meet."""

    async def test_of_50_writers_of_an_absent_row_one_wins(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        for turn in range(3):
            key = Key((subject.name(str(turn)),))

            async def write(number: int, key: Key = key) -> Written | ConditionFailed:
                try:
                    return await subject.put(
                        ITEMS, key, {"count": number}, conditions=[IfAbsent(key)]
                    )
                except ConditionFailed as error:
                    return error

            done = await _all_of([write(number) for number in range(_WRITERS)])
            winners = [n for n, outcome in enumerate(done) if isinstance(outcome, Written)]
            assert len(winners) == 1
            row = await subject.row(ITEMS, key)
            assert row is not None
            assert row.columns["count"] == winners[0]

    async def test_rows_are_linearizable(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        choose = seeded()
        for turn in range(4):
            key = Key((subject.name(str(turn)),))
            plans = [[_row_call(choose) for _ in range(_CALLS_EACH)] for _ in range(_CALLERS)]

            async def call(asked: RowCall, key: Key = key) -> int:
                return await _call_row(subject, key, asked)

            history = await _record(plans, call)
            assert is_linearizable(history, RowModel()), history

    async def test_counters_with_holds_are_linearizable(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        choose = seeded()
        for turn in range(4):
            key = Key((subject.name(str(turn)),))
            plans = [_counter_plan(choose, str(n)) for n in range(_CALLERS)]

            async def call(asked: CounterCall, key: Key = key) -> CounterSeen:
                return await _call_counter(subject, key, asked)

            history = await _record(plans, call)
            assert is_linearizable(history, CounterModel(CEILING)), history

    async def test_racing_increments_stop_at_the_ceiling(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        changes = [Increment(key, 3, subject.token()) for _ in range(_WRITERS)]
        done = await _all_of([subject.change_all(BOUNDED, change) for change in changes])
        refused = [
            outcome.error
            for outcomes in done
            for outcome in outcomes
            if isinstance(outcome, Failed)
        ]
        fitting = CEILING // 3
        assert (await subject.counter(BOUNDED, key)).value == fitting * 3
        assert len(refused) == _WRITERS - fitting
        assert all(isinstance(error, BoundExceeded) for error in refused)

    async def test_readers_never_see_half_a_unit(self, subject: Subject) -> None:
        subject.need(Kind.WIDE)
        owner = subject.name()
        keys = [Key((owner,), (1, name)) for name in ("a", "b", "c")]
        await subject.write(ORDERS, *(Put(key, {"count": 0}) for key in keys))

        async def write(number: int) -> None:
            await subject.write(ORDERS, *(Put(key, {"count": number}) for key in keys))

        async def read() -> None:
            outcomes = await subject.get(ORDERS, *keys)
            numbers = {str(row.columns["count"]) for row in outcomes if isinstance(row, Row)}
            assert len(numbers) == 1
            rows = await subject.query(ORDERS, (owner,), rows_max=10)
            assert len({str(row.columns["count"]) for row in rows}) == 1

        jobs = [write(number) for number in range(1, 30)] + [read() for _ in range(30)]
        seeded().shuffle(jobs)
        await _all_of(jobs)

    async def test_racing_appends_lose_and_double_nothing(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source = subject.name()
        records = [NewRecord((source,), {"count": n}, subject.token()) for n in range(_WRITERS)]
        # Every record is sent twice at the same time.
        done = await _all_of([subject.append_all(EVENTS, record) for record in records * 2])
        places = [outcomes[0] for outcomes in done]
        assert places[:_WRITERS] == places[_WRITERS:]
        first = min(place.offset for place in places if not isinstance(place, Failed))
        partition = next(place.partition for place in places if not isinstance(place, Failed))
        page = await subject.read_log(EVENTS, partition, FromOffset(first))
        mine = [record.columns["count"] for record in page.records if record.key == (source,)]
        assert sorted(str(number) for number in mine) == sorted(str(n) for n in range(_WRITERS))


async def _all_of(jobs: Sequence[Awaitable[SeenT]]) -> list[SeenT]:
    async def wait(job: Awaitable[SeenT]) -> SeenT:
        return await job

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait(job)) for job in jobs]
    return [task.result() for task in tasks]


async def _record(
    plans: list[list[CallT]], call: Callable[[CallT], Awaitable[SeenT]]
) -> list[Event[CallT, SeenT]]:
    """Run each plan in a task of its own; return what happened, with its order in real time."""
    ticks = itertools.count()
    history: list[Event[CallT, SeenT]] = []

    async def follow(plan: list[CallT]) -> None:
        for asked in plan:
            made = next(ticks)
            seen = await call(asked)
            history.append(Event(asked, made, next(ticks), seen))

    await _all_of([follow(plan) for plan in plans])
    return history


def _row_call(choose: random.Random) -> RowCall:
    roll = choose.random()
    if roll < 0.35:
        return ReadRow()
    if roll < 0.5:
        return PutRow(choose.randrange(4))
    return CompareAndSet(choose.choice([NO_ROW, 0, 1, 2, 3]), choose.randrange(4))


async def _call_row(subject: Subject, key: Key, call: RowCall) -> int:
    match call:
        case ReadRow():
            read = GetRows(ITEMS, (key,), consistency=_strongest(subject))
            (outcome,) = (await subject.run(read)).outcomes
            return int(str(outcome.columns["count"])) if isinstance(outcome, Row) else NO_ROW
        case PutRow(number=number):
            await subject.put(ITEMS, key, {"count": number})
            return 1
        case CompareAndSet(old=old, new=new):
            condition = IfAbsent(key) if old == NO_ROW else IfColumns(key, {"count": old})
            try:
                await subject.put(ITEMS, key, {"count": new}, conditions=[condition])
            except ConditionFailed:
                return 0
            return 1


def _counter_plan(choose: random.Random, caller: str) -> list[CounterCall]:
    plan: list[CounterCall] = []
    for n in range(_CALLS_EACH):
        roll = choose.random()
        if roll < 0.2:
            plan.append(ReadCounter())
        elif roll < 0.5:
            plan.append(Add(choose.randrange(-40, 60)))
        elif roll < 0.8:
            plan.append(Hold(f"{caller}-{n}", choose.randrange(1, 60)))
        else:
            hold_id = f"{choose.randrange(_CALLERS)}-{choose.randrange(_CALLS_EACH)}"
            plan.append(Settle(hold_id, choose.random() < 0.5))
    return plan


async def _call_counter(subject: Subject, key: Key, call: CounterCall) -> CounterSeen:
    try:
        match call:
            case ReadCounter():
                read = GetCounters(BOUNDED, (key,), consistency=_strongest(subject))
                (outcome,) = (await subject.run(read)).outcomes
                if isinstance(outcome, Failed):
                    raise outcome.error
                return outcome.value, outcome.held_increase
            case Add(delta=delta):
                done = await subject.change(BOUNDED, Increment(key, delta, subject.token()))
                return done.counter.value
            case Hold(hold_id=hold_id, amount=amount):
                reserve = Reserve(key, amount, hold_id, _MINUTE_US, subject.token())
                return (await subject.change(BOUNDED, reserve)).counter.held_increase
            case Settle(hold_id=hold_id, is_commit=is_commit):
                kind = Commit if is_commit else Release
                done = await subject.change(BOUNDED, kind(key, hold_id, subject.token()))
                return done.counter.value
    except (BoundExceeded, HoldNotFound):
        return REFUSED


def _strongest(subject: Subject) -> Consistency:
    levels = subject.harness.capabilities.read_levels
    return Consistency(Level.LINEARIZABLE if Level.LINEARIZABLE in levels else max(levels))
