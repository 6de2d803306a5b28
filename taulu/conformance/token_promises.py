"""Idempotency: a resend with the same token has the effect of one, for every kind of write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, EVENTS, ITEMS, ORDERS
from taulu.model import (
    Bounds,
    Commit,
    ConditionFailed,
    CounterChange,
    Delete,
    DeleteRange,
    Failed,
    FromOffset,
    IdempotencyToken,
    IfAbsent,
    Increment,
    Key,
    Kind,
    Mutation,
    NewRecord,
    Put,
    Release,
    Reserve,
    TokenReused,
    Update,
    Value,
    WriteUnit,
    Written,
)
from taulu.spi import Feature

_HOUR_US = 3_600_000_000


class TokenPromises(Promises):
    """Promises about sending a write again."""

    async def test_a_resent_write_changes_nothing_and_has_the_first_outcome(
        self, subject: Subject
    ) -> None:
        subject.need(Kind.WIDE, Feature.PARTIAL_UPDATE, Feature.DELETE_RANGE)
        key = Key((subject.name(),), (1, "a"))
        mutations: tuple[Mutation, ...] = (
            Put(key, {"count": 1}),
            Update(key, {"text": "b"}),
            Delete(key),
            DeleteRange(key.partition),
        )
        for mutation in mutations:
            unit = WriteUnit((mutation,), subject.token())
            (first,) = await subject.write_units(ORDERS, unit)
            between = await subject.put(ORDERS, key, {"count": 99})
            (again,) = await subject.write_units(ORDERS, unit)
            assert again == first, mutation
            # A cache that took the resend for a first sending would bring its row back.
            assert isinstance(again, Written), mutation
            assert not again.is_first, mutation
            row = await subject.row(ORDERS, key)
            assert row is not None, mutation
            assert (row.version, dict(row.columns)) == (between.version, {"count": 99}), mutation

    async def test_a_resent_conditional_write_still_succeeds(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        key = Key((subject.name(),))
        unit = WriteUnit((Put(key, {"count": 1}),), subject.token(), (IfAbsent(key),))
        first = await subject.write_units(ITEMS, unit)
        assert await subject.write_units(ITEMS, unit) == first
        assert isinstance(first[0], Written)

    async def test_a_failed_attempt_is_judged_afresh(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.CONDITIONS)
        key, token = Key((subject.name(),)), subject.token()
        await subject.put(ITEMS, key, {"count": 0})
        with pytest.raises(ConditionFailed):
            await subject.write(ITEMS, Put(key, {}), conditions=[IfAbsent(key)], token=token)
        await subject.write(ITEMS, Delete(key))
        await subject.write(ITEMS, Put(key, {}), conditions=[IfAbsent(key)], token=token)
        assert await subject.row(ITEMS, key) is not None

    async def test_one_token_for_two_effects_is_refused(self, subject: Subject) -> None:
        subject.need(Kind.KV, Feature.PARTIAL_UPDATE, Feature.WRITE_ORDER)
        key, token = Key((subject.name(),)), subject.token()
        await subject.write(ITEMS, Put(key, {"count": 1}), token=token)
        others: tuple[tuple[Mutation, ...], ...] = (
            (Put(key, {"count": 2}),),
            (Put(key, {"text": "1"}),),
            (Put(key, {"count": 1}, 1_000_000),),
            (Update(key, {"count": 1}),),
            (Delete(key),),
            (Put(key, {"count": 1}), Put(key, {"count": 1})),
        )
        for mutations in others:
            with pytest.raises(TokenReused):
                await subject.write(ITEMS, *mutations, token=token)
        row = await subject.row(ITEMS, key)
        assert row is not None
        assert dict(row.columns) == {"count": 1}

    async def test_the_time_in_a_token_is_not_part_of_its_identity(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key, token = Key((subject.name(),)), subject.token()
        later = replace(token, create_time_us=token.create_time_us + 5_000_000)
        first = await subject.change(BOUNDED, Increment(key, 5, token))
        assert await subject.change(BOUNDED, Increment(key, 5, later)) == first
        assert (await subject.counter(BOUNDED, key)).value == 5

    async def test_a_token_twice_in_one_batch_is_one_effect(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        change = Increment(key, 5, subject.token())
        first, second = await subject.change_all(BOUNDED, change, change)
        assert not isinstance(first, Failed)
        assert first == second
        assert (await subject.counter(BOUNDED, key)).value == 5

    async def test_each_counter_change_is_resent_without_effect(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        key = Key((subject.name(),))
        minute_us = 60_000_000
        changes: tuple[CounterChange, ...] = (
            Increment(key, 40, subject.token()),
            Reserve(key, 10, "a", minute_us, subject.token()),
            Reserve(key, 20, "b", minute_us, subject.token()),
            Commit(key, "a", subject.token(), 7),
            Release(key, "b", subject.token()),
        )
        for change in changes:
            first = await subject.change(BOUNDED, change)
            before = await subject.counter(BOUNDED, key)
            assert await subject.change(BOUNDED, change) == first, change
            assert await subject.counter(BOUNDED, key) == before, change
        assert (await subject.counter(BOUNDED, key)).value == 47

    async def test_one_token_for_two_counter_changes_is_refused(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key, token = Key((subject.name(),)), subject.token()
        await subject.change(BOUNDED, Increment(key, 5, token))
        for other in (
            Increment(key, 6, token),
            Increment(key, 5, token, Bounds(ceiling=50)),
        ):
            with pytest.raises(TokenReused):
                await subject.change(BOUNDED, other)
        assert (await subject.counter(BOUNDED, key)).value == 5

    async def test_a_resent_record_is_one_record_at_one_offset(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source, token = subject.name(), subject.token()
        first = await subject.append(EVENTS, source, {"count": 1}, token)
        await subject.append(EVENTS, source, {"count": 2})
        assert await subject.append(EVENTS, source, {"count": 1}, token) == first
        page = await subject.read_log(EVENTS, first.partition, FromOffset(first.offset))
        mine = [record.columns["count"] for record in page.records if record.key == (source,)]
        assert mine == [1, 2]

    async def test_one_token_for_two_records_is_refused(self, subject: Subject) -> None:
        subject.need(Kind.LOG)
        source, token = subject.name(), subject.token()
        await subject.append(EVENTS, source, {"count": 1}, token)
        other: Mapping[str, Value] = {"count": 2}
        (outcome,) = await subject.append_all(EVENTS, NewRecord((source,), other, token))
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, TokenReused)

    async def test_a_token_is_its_own_in_every_table(self, subject: Subject) -> None:
        subject.need(Kind.KV)
        subject.need(Kind.COUNTER)
        token = subject.token()
        await subject.write(ITEMS, Put(Key((subject.name(),)), {"count": 1}), token=token)
        counter = await subject.change(BOUNDED, Increment(Key((subject.name(),)), 1, token))
        assert counter.counter.value == 1

    async def test_a_token_is_remembered_for_its_window(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        if not subject.harness.follows_clock:
            pytest.skip("the subject's clock cannot be moved")
        key = Key((subject.name(),))
        token = IdempotencyToken(subject.clock.now_us(), subject.token().nonce)
        first = await subject.change(BOUNDED, Increment(key, 5, token))
        subject.clock.shift_us += 23 * _HOUR_US
        assert await subject.change(BOUNDED, Increment(key, 5, token)) == first
        assert (await subject.counter(BOUNDED, key)).value == 5

    async def test_racing_resends_are_one_effect(self, subject: Subject) -> None:
        subject.need(Kind.COUNTER)
        key = Key((subject.name(),))
        change = Increment(key, 3, subject.token())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(subject.change(BOUNDED, change)) for _ in range(20)]
        assert len({repr(task.result()) for task in tasks}) == 1
        assert (await subject.counter(BOUNDED, key)).value == 3
