"""What outlives the process: every acknowledged write, whatever ended it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest

from taulu.conformance.harness import Harness, ShiftedClock
from taulu.conformance.promises import Promises, seeded
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS, ORDERS, tables_for
from taulu.model import (
    Commit,
    FromOffset,
    Increment,
    Key,
    Kind,
    Put,
    Reserve,
    TauluError,
    WriteUnit,
    Written,
)
from taulu.spi import Feature

_WRITERS = 8
_ROWS_EACH = 3


class DurabilityPromises(Promises):
    """Promises about ends and beginnings."""

    async def test_rows_are_there_after_a_restart(self, harness: Harness) -> None:
        async with _before_and_after(harness, Kind.KV) as (before, restarted):
            key = Key((before.name(),))
            unit = WriteUnit((Put(key, {"count": 1}),), before.token())
            written = await before.write_units(ITEMS, unit)
            async with restarted() as after:
                row = await after.row(ITEMS, key)
                assert row is not None
                assert dict(row.columns) == {"count": 1}
                assert await after.write_units(ITEMS, unit) == written

    async def test_counters_are_there_after_a_restart(self, harness: Harness) -> None:
        async with _before_and_after(harness, Kind.COUNTER, Feature.HOLDS) as (before, restarted):
            key, token = Key((before.name(),)), before.token()
            await before.change(BOUNDED, Increment(key, 30, token))
            await before.change(BOUNDED, Reserve(key, 10, "a", 3_600_000_000, before.token()))
            async with restarted() as after:
                again = await after.change(BOUNDED, Increment(key, 30, token))
                assert again.counter.value == 30
                counter = await after.counter(BOUNDED, key)
                assert (counter.value, counter.held_increase) == (30, 10)
                done = await after.change(BOUNDED, Commit(key, "a", after.token()))
                assert done.counter.value == 40

    async def test_records_are_there_after_a_restart(self, harness: Harness) -> None:
        async with _before_and_after(harness, Kind.LOG) as (before, restarted):
            source, token = before.name(), before.token()
            first = await before.append(EVENTS, source, {"count": 1}, token)
            async with restarted() as after:
                page = await after.read_log(EVENTS, first.partition, FromOffset(first.offset))
                assert page.records[0].columns["count"] == 1
                assert await after.append(EVENTS, source, {"count": 1}, token) == first
                following = await after.append(EVENTS, source, {"count": 2})
                assert following.offset == first.offset + 1

    async def test_a_kill_loses_no_acknowledged_write_and_leaves_no_half_of_one(
        self, harness: Harness
    ) -> None:
        if harness.kill is None:
            pytest.skip("the harness cannot kill its subject")
        choose = seeded()
        clock = ShiftedClock()
        tables = tables_for(harness.capabilities)
        run_id = ""
        units: dict[int, WriteUnit] = {}
        acknowledged: set[int] = set()
        for _ in range(3):
            async with harness.start(tables, clock) as execute:
                subject = Subject(harness, execute, clock, **_same_run(run_id))
                subject.need(Kind.WIDE)
                run_id = subject.run_id
                await _check_survivors(subject, units, acknowledged)
                async with asyncio.TaskGroup() as group:
                    for _ in range(_WRITERS):
                        group.create_task(_write_until_killed(subject, units, acknowledged))
                    await asyncio.sleep(choose.uniform(0.05, 0.3))
                    await harness.kill()
        async with harness.start(tables, clock) as execute:
            subject = Subject(harness, execute, clock, run_id=run_id)
            await _check_survivors(subject, units, acknowledged)
        assert acknowledged


Restarted = Callable[[], AbstractAsyncContextManager[Subject]]


@asynccontextmanager
async def _before_and_after(
    harness: Harness, kind: Kind, *features: Feature
) -> AsyncGenerator[tuple[Subject, Restarted]]:
    """Open the subject; the second of the pair closes it and opens it again."""
    if not harness.is_durable:
        pytest.skip("the subject does not claim to be durable")
    clock = ShiftedClock()
    tables = tables_for(harness.capabilities)
    async with AsyncExitStack() as running:
        execute = await running.enter_async_context(harness.start(tables, clock))
        before = Subject(harness, execute, clock)
        before.need(kind, *features)

        @asynccontextmanager
        async def restarted() -> AsyncGenerator[Subject]:
            await running.aclose()
            async with harness.start(tables, clock) as execute:
                yield Subject(harness, execute, clock, run_id=before.run_id)

        yield before, restarted


def _same_run(run_id: str) -> dict[str, str]:
    return {"run_id": run_id} if run_id else {}


async def _write_until_killed(
    subject: Subject, units: dict[int, WriteUnit], acknowledged: set[int]
) -> None:
    """Write units of three rows each until the subject is gone."""
    while True:
        number = len(units)
        owner = subject.name(str(number))
        puts = tuple(Put(Key((owner,), (n, "")), {"count": number}) for n in range(_ROWS_EACH))
        units[number] = WriteUnit(puts, subject.token())
        try:
            outcomes = await subject.write_units(ORDERS, units[number])
        except TauluError:
            return
        if not isinstance(outcomes[0], Written):
            return
        acknowledged.add(number)


async def _check_survivors(
    subject: Subject, units: dict[int, WriteUnit], acknowledged: set[int]
) -> None:
    """Check that units are whole or absent, the acknowledged ones whole, and resend them all."""
    for number, unit in units.items():
        rows = await subject.query(ORDERS, (subject.name(str(number)),))
        assert len(rows) in ((_ROWS_EACH,) if number in acknowledged else (0, _ROWS_EACH))
        (outcome,) = await subject.write_units(ORDERS, unit)
        assert isinstance(outcome, Written)
        if rows:
            assert {row.version for row in rows} == {outcome.version}
        acknowledged.add(number)
