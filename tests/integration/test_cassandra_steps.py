"""Steps by Paxos where answers are lost, appenders die, and processes meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from taulu.model import (
    Appended,
    AppendRecords,
    ChangeCounters,
    Changed,
    Failed,
    FromEarliest,
    FromOffset,
    IfAbsent,
    Increment,
    Key,
    NewRecord,
    Put,
    ReadLog,
    Unavailable,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu_cassandra import CassandraAdapter
from taulu_cassandra.calls import Calls, OutcomeUnclearError
from taulu_cassandra.log_ground import LogGround
from tests.integration.cassandra_parts import (
    SERIAL,
    Options,
    fresh,
    opened,
    soon,
    token,
)

pytestmark = pytest.mark.xdist_group("cassandra")


Lose = Callable[[Calls, Any, Any, Any], Any]
_SEND = Calls.compare_and_set


async def _lost_after(self: Calls, batch: Any, levels: Any, call: Any) -> bool:
    await _SEND(self, batch, levels, call)
    raise OutcomeUnclearError


async def _lost_before(self: Calls, batch: Any, levels: Any, call: Any) -> bool:
    raise OutcomeUnclearError


def _lose_first(monkeypatch: pytest.MonkeyPatch, lose: Lose, count: int) -> None:
    """Lose the answers of the first conditional batches."""
    left = [count]

    async def send(self: Calls, batch: Any, levels: Any, call: Any) -> bool:
        left[0] -= 1
        return await (lose if left[0] >= 0 else _SEND)(self, batch, levels, call)

    monkeypatch.setattr(Calls, "compare_and_set", send)


@pytest.mark.parametrize("lose", [_lost_after, _lost_before])
async def test_a_lost_answer_is_settled_within_the_call(
    lose: Lose, cassandra_node: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = fresh("bounded")
    async with opened(cassandra_node, table) as adapter:
        _lose_first(monkeypatch, lose, 2)
        change = Increment(Key(("a",)), 5, token())
        for _ in range(2):
            done = await adapter.execute(ChangeCounters(table.full_name, (change,)), soon())
            (outcome,) = done.outcomes
            assert isinstance(outcome, Changed)
            assert outcome.counter.value == 5


@pytest.mark.parametrize("lose", [_lost_after, _lost_before])
async def test_an_answer_lost_till_the_deadline_is_unknown_and_settled_by_a_resend(
    lose: Lose, cassandra_node: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = fresh("items", write_level=SERIAL)
    async with opened(cassandra_node, table) as adapter:
        key = Key(("a",))
        unit = WriteUnit((Put(key, {"count": 1}),), token(), (IfAbsent(key),))
        write = WriteRows(table.full_name, (unit,))
        with monkeypatch.context() as patched:
            _lose_first(patched, lose, 1)

            async def unreadable(*_: object) -> object:
                raise Unavailable("no answer")

            send = Calls.compare_and_set

            async def send_and_go_dark(self: Calls, batch: Any, levels: Any, call: Any) -> bool:
                patched.setattr(Calls, "read", unreadable)
                return await send(self, batch, levels, call)

            patched.setattr(Calls, "compare_and_set", send_and_go_dark)
            (outcome,) = (await adapter.execute(write, soon())).outcomes
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, WriteOutcomeUnknown)
        (first,) = (await adapter.execute(write, soon())).outcomes
        assert isinstance(first, Written)
        (again,) = (await adapter.execute(write, soon())).outcomes
        assert again == first


async def test_records_of_a_killed_appender_are_read_and_kept(
    cassandra_node: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died between the step that gave the offsets and the copy to the bucket."""
    table = fresh("events", log_partitions=1)
    source = ("s",)

    async def die(*_: object) -> None:
        pass

    def append(numbers: Sequence[int]) -> AppendRecords:
        records = [NewRecord(source, {"count": n}, token()) for n in numbers]
        return AppendRecords(table.full_name, tuple(records))

    async def read(adapter: CassandraAdapter, start: Any) -> list[object]:
        page = await adapter.execute(ReadLog(table.full_name, 0, start, 10, 10_000), soon())
        return [record.columns["count"] for record in page.records]

    async with opened(cassandra_node, table) as adapter:
        with monkeypatch.context() as patched:
            patched.setattr(LogGround, "finish", die)
            first = append([0, 1])
            places = (await adapter.execute(first, soon())).outcomes
        assert await read(adapter, FromEarliest()) == [0, 1]
    async with opened(cassandra_node, table) as adapter:
        assert (await adapter.execute(first, soon())).outcomes == places
        (third,) = (await adapter.execute(append([2]), soon())).outcomes
        assert isinstance(third, Appended)
        assert third.offset == 2
        assert await read(adapter, FromOffset(0)) == [0, 1, 2]
        assert (await adapter.execute(first, soon())).outcomes == places


async def test_steps_of_several_processes_lose_and_double_nothing(cassandra_node: Options) -> None:
    """Adapters that share no lanes meet only at Cassandra."""
    table = fresh("credits")
    key = Key(("a",))
    async with AsyncExitStack() as stack:
        adapters = [await stack.enter_async_context(opened(cassandra_node, table)) for _ in "123"]
        changes = [Increment(key, 1, token()) for _ in range(30)]

        async def change(adapter: CassandraAdapter, increment: Increment) -> object:
            operation = ChangeCounters(table.full_name, (increment,))
            (outcome,) = (await adapter.execute(operation, soon(200))).outcomes
            return outcome

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(change(adapter, increment))
                for increment in changes
                for adapter in adapters
            ]
        outcomes = [task.result() for task in tasks]
        assert all(isinstance(outcome, Changed) for outcome in outcomes)
        for at in range(0, len(outcomes), len(adapters)):
            assert len({repr(outcome) for outcome in outcomes[at : at + len(adapters)]}) == 1
        assert {o.counter.value for o in outcomes} == set(range(1, len(changes) + 1))


async def test_a_write_says_that_it_is_the_first_only_when_that_is_sure(
    cassandra_node: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = fresh("items", write_level=SERIAL)
    async with opened(cassandra_node, table) as adapter:

        async def written(unit: WriteUnit) -> Written:
            done = await adapter.execute(WriteRows(table.full_name, (unit,)), soon())
            (outcome,) = done.outcomes
            assert isinstance(outcome, Written)
            return outcome

        unit = WriteUnit((Put(Key(("a",)), {"count": 1}),), token())
        assert (await written(unit)).is_first
        assert not (await written(unit)).is_first
        _lose_first(monkeypatch, _lost_after, 1)
        assert not (await written(WriteUnit((Put(Key(("b",)), {"count": 1}),), token()))).is_first
