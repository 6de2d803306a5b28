"""Counters: bounds that count the holds, and holds that end once."""

from __future__ import annotations

import pytest

from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, CEILING, CREDITS
from taulu.model import (
    INT64_MAX,
    INT64_MIN,
    BoundExceeded,
    Bounds,
    Commit,
    Counter,
    Failed,
    GetCounters,
    HoldExists,
    HoldNotFound,
    Increment,
    InvalidArgument,
    Key,
    Kind,
    Release,
    Reserve,
)
from taulu.spi import Feature

_MINUTE_US = 60_000_000


class CounterPromises(Promises):
    """Promises about counters, one call at a time; races are elsewhere."""

    async def test_a_counter_never_written_is_zero(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        assert await subject.counter(CREDITS, key) == Counter(key, 0)

    async def test_increments_add_up_and_return_the_state_just_after(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.COUNTER)
        key, other = Key((subject.name("a"),)), Key((subject.name("b"),))
        values: list[int] = []
        versions: list[int] = []
        for delta in (5, -3, 0, 40):
            counter = await _add(subject, key, delta)
            values.append(counter.value)
            versions.append(counter.version)
        assert values == [5, 2, 2, 42]
        assert versions == sorted(set(versions))
        reads = await subject.run(GetCounters(BOUNDED, (other, key, key)))
        assert [found.value for found in reads.outcomes if isinstance(found, Counter)] == [
            0,
            42,
            42,
        ]

    async def test_no_step_passes_a_bound(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        await _add(subject, key, CEILING)
        with pytest.raises(BoundExceeded) as exceeded:
            await _add(subject, key, 1)
        assert exceeded.value.details["value"] == str(CEILING)
        assert exceeded.value.details["ceiling"] == str(CEILING)
        assert exceeded.value.details["asked"] == "1"
        with pytest.raises(BoundExceeded):
            await _add(subject, key, -CEILING - 1)
        assert (await _add(subject, key, -CEILING)).value == 0

    async def test_the_tighter_of_two_bounds_holds(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        with pytest.raises(BoundExceeded):
            await _add(subject, key, 11, Bounds(ceiling=10))
        assert (await _add(subject, key, 10, Bounds(ceiling=10))).value == 10
        with pytest.raises(BoundExceeded):
            await _add(subject, key, CEILING, Bounds(ceiling=CEILING * 10))
        with pytest.raises(BoundExceeded):
            await _add(subject, key, -10, Bounds(floor=1))
        assert (await _add(subject, key, -9, Bounds(floor=1))).value == 1

    async def test_a_step_toward_the_bounds_is_always_taken(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        await _add(subject, key, 50)
        assert (await _add(subject, key, -10, Bounds(ceiling=20))).value == 40
        assert (await _add(subject, key, 0, Bounds(ceiling=20, floor=60))).value == 40
        assert (await _add(subject, key, 10, Bounds(floor=60))).value == 50

    async def test_arithmetic_does_not_wrap(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        for delta in (INT64_MAX, INT64_MIN):
            key = Key((subject.name(str(delta)),))
            await subject.change(CREDITS, Increment(key, delta, subject.token()))
            step = 1 if delta > 0 else -1
            with pytest.raises(BoundExceeded):
                await subject.change(CREDITS, Increment(key, step, subject.token()))
            assert (await subject.counter(CREDITS, key)).value == delta

    async def test_holds_count_against_the_bounds(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key = Key((subject.name(),))
        await _add(subject, key, 50)
        held = await _hold(subject, key, 30, "up")
        assert (held.value, held.held_increase, held.held_decrease) == (50, 30, 0)
        held = await _hold(subject, key, -40, "down")
        assert (held.value, held.held_increase, held.held_decrease) == (50, 30, -40)
        for amount, hold_id in ((21, "more"), (-11, "less")):
            with pytest.raises(BoundExceeded) as exceeded:
                await _hold(subject, key, amount, hold_id)
            assert exceeded.value.details["held_increase"] == "30"
            assert exceeded.value.details["held_decrease"] == "-40"
            with pytest.raises(BoundExceeded):
                await _add(subject, key, amount)
        assert (await _add(subject, key, 20)).value == 70
        assert (await _add(subject, key, -30)).value == 40

    async def test_holds_do_not_wrap(self, subject: Subject) -> None:
        """A value below zero leaves room for more holds than 64 bits can add up, and so above."""
        subject.need(Kind.COUNTER, Feature.HOLDS)
        for sign in (1, -1):
            key = Key((subject.name(str(sign)),))
            await subject.change(CREDITS, Increment(key, -10 * sign, subject.token()))
            most = Reserve(key, sign * INT64_MAX, "most", _MINUTE_US, subject.token())
            await subject.change(CREDITS, most)
            with pytest.raises(BoundExceeded):
                more = Reserve(key, 5 * sign, "more", _MINUTE_US, subject.token())
                await subject.change(CREDITS, more)
            counter = await subject.counter(CREDITS, key)
            assert counter.held_increase + counter.held_decrease == sign * INT64_MAX

    async def test_a_hold_ends_once_by_commit_in_whole_or_part(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key = Key((subject.name(),))
        for hold_id, held, part, value in (
            ("whole", 30, None, 30),
            ("part", 20, 5, 35),
            ("none", 20, 0, 35),
            ("down", -10, -4, 31),
        ):
            await _hold(subject, key, held, hold_id)
            done = await subject.change(BOUNDED, Commit(key, hold_id, subject.token(), part))
            counter = done.counter
            assert (counter.value, counter.held_increase, counter.held_decrease) == (value, 0, 0)
            with pytest.raises(HoldNotFound):
                await subject.change(BOUNDED, Commit(key, hold_id, subject.token()))
            with pytest.raises(HoldNotFound):
                await subject.change(BOUNDED, Release(key, hold_id, subject.token()))

    async def test_a_released_hold_leaves_the_value(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key = Key((subject.name(),))
        await _hold(subject, key, CEILING, "all")
        done = await subject.change(BOUNDED, Release(key, "all", subject.token()))
        assert (done.counter.value, done.counter.held_increase) == (0, 0)
        assert (await _add(subject, key, CEILING)).value == CEILING

    async def test_no_more_is_committed_than_was_held(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key = Key((subject.name(),))
        await _hold(subject, key, 10, "a")
        for part in (11, -1):
            with pytest.raises(InvalidArgument):
                await subject.change(BOUNDED, Commit(key, "a", subject.token(), part))
        assert (await subject.counter(BOUNDED, key)).held_increase == 10

    async def test_an_active_hold_is_not_replaced(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key, other = Key((subject.name("a"),)), Key((subject.name("b"),))
        await _hold(subject, key, 10, "a")
        with pytest.raises(HoldExists):
            await _hold(subject, key, 20, "a")
        await _hold(subject, other, 20, "a")
        assert (await subject.counter(BOUNDED, key)).held_increase == 10

    async def test_a_hold_of_nothing_is_refused(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        with pytest.raises(InvalidArgument):
            await _hold(subject, Key((subject.name(),)), 0, "nothing")

    async def test_an_expired_hold_is_gone(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key = Key((subject.name(),))
        before_us = subject.clock.now_us()
        reserve = Reserve(key, CEILING, "a", 2_000_000, subject.token())
        reserved = await subject.change(BOUNDED, reserve)
        assert reserved.hold_expire_us is not None
        if subject.harness.follows_clock:
            ends_us = subject.clock.now_us() + 2_000_000
            assert before_us + 2_000_000 <= reserved.hold_expire_us <= ends_us
        await subject.pass_time(2)
        assert (await subject.counter(BOUNDED, key)).held_increase == 0
        with pytest.raises(HoldNotFound):
            await subject.change(BOUNDED, Commit(key, "a", subject.token()))
        assert (await _hold(subject, key, 60, "a")).held_increase == 60

    async def test_one_failed_change_of_a_batch_fails_alone(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        deltas = (60, 60, 40)
        outcomes = await subject.change_all(
            BOUNDED, *(Increment(key, delta, subject.token()) for delta in deltas)
        )
        assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, True, False]
        assert (await subject.counter(BOUNDED, key)).value == 100


async def _add(subject: Subject, key: Key, delta: int, bounds: Bounds | None = None) -> Counter:
    """Increment a counter of `BOUNDED`."""
    change = Increment(key, delta, subject.token(), bounds or Bounds())
    return (await subject.change(BOUNDED, change)).counter


async def _hold(subject: Subject, key: Key, amount: int, hold_id: str) -> Counter:
    """Reserve on a counter of `BOUNDED`."""
    change = Reserve(key, amount, hold_id, _MINUTE_US, subject.token())
    return (await subject.change(BOUNDED, change)).counter
