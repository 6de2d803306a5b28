"""A clock that steps back: versions and times go on growing, and what ended stays ended."""

from __future__ import annotations

import pytest

from taulu.conformance.harness import Harness, ShiftedClock
from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS, tables_for
from taulu.model import Increment, Key, Kind, Reserve
from taulu.spi import Feature

_HOUR_US = 3_600_000_000


class ClockPromises(Promises):
    """Promises about time that goes the wrong way."""

    async def test_versions_grow_when_the_clock_steps_back(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.WRITE_ORDER)
        _need_clock(subject.harness)
        key = Key((subject.name(),))
        versions = [(await subject.put(ITEMS, key, {"count": 0})).version]
        for n in range(1, 4):
            subject.clock.shift_us -= _HOUR_US
            versions.append((await subject.put(ITEMS, key, {"count": n})).version)
            row = await subject.row(ITEMS, key)
            assert row is not None
            assert row.columns["count"] == n
        assert versions == sorted(set(versions))

    async def test_versions_grow_when_the_clock_steps_back_over_a_restart(
        self, harness: Harness
    ) -> None:
        _need_clock(harness)
        if not harness.is_durable:
            pytest.skip("the subject does not claim to be durable")
        clock = ShiftedClock()
        tables = tables_for(harness.capabilities)
        async with harness.start(tables, clock) as execute:
            before = Subject(harness, execute, clock)
            before.need(Kind.KV, Feature.WRITE_ORDER)
            key = Key((before.name(),))
            first = await before.put(ITEMS, key, {"count": 1})
        clock.shift_us -= _HOUR_US
        async with harness.start(tables, clock) as execute:
            after = Subject(harness, execute, clock, run_id=before.run_id)
            second = await after.put(ITEMS, key, {"count": 2})
        assert second.version > first.version

    async def test_log_times_do_not_step_back_with_the_clock(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        _need_clock(subject.harness)
        source = subject.name()
        first = await subject.append(EVENTS, source, {"count": 1})
        subject.clock.shift_us -= _HOUR_US
        second = await subject.append(EVENTS, source, {"count": 2})
        assert second.time_us >= first.time_us

    async def test_a_hold_that_expired_stays_gone_when_the_clock_steps_back(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        _need_clock(subject.harness)
        key = Key((subject.name(),))
        await subject.change(BOUNDED, Reserve(key, 100, "a", 1_000_000, subject.token()))
        subject.clock.shift_us += _HOUR_US
        await subject.change(BOUNDED, Increment(key, 100, subject.token()))
        subject.clock.shift_us -= _HOUR_US
        counter = await subject.counter(BOUNDED, key)
        assert (counter.value, counter.held_increase) == (100, 0)


def _need_clock(harness: Harness) -> None:
    """Skip the test when the subject's clock cannot be moved."""
    if not harness.follows_clock:
        pytest.skip("the subject's clock cannot be moved")
