"""PostgreSQL: writes whose answers are lost, that meet others, that come late, or do not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from taulu.conformance import ShiftedClock
from taulu.model import (
    Appended,
    AppendRecords,
    ChangeCounters,
    Changed,
    Contention,
    Delete,
    DeleteRange,
    Failed,
    GetCounters,
    IfAbsent,
    Increment,
    InvalidArgument,
    Key,
    NewRecord,
    Overloaded,
    Put,
    Unavailable,
    WriteOutcomeUnknown,
    WriteUnit,
    Written,
)
from taulu_postgres import PostgresAdapter
from taulu_postgres._driver import Call, Connection, Many, SqlRow
from taulu_postgres.transaction import COMMIT
from tests.integration.postgres_parts import (
    context,
    opened,
    own_tables,
    put,
    row,
    token,
    unit,
    write,
    write_all,
)
from tests.testbed.postgres_server import PostgresServer

pytestmark = pytest.mark.xdist_group("postgres")

_HOUR_US = 3_600_000_000


@pytest.fixture(params=["after", "before"])
def losing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Cut the connection at the first two COMMITs, after or before the server takes them in.

    Returns the number of commits that were cut off so far, as the one item of a list: one that
    was taken in is found by its token, so there is no second.
    """
    lost = [0]
    ask = Connection.ask

    async def ask_and_lose(
        self: Connection, calls: Sequence[Call | Many], timeout_s: float
    ) -> list[list[SqlRow]]:
        is_write = COMMIT in calls and len(calls) > 1
        if not is_write or lost[0] >= 2:
            return await ask(self, calls, timeout_s)
        lost[0] += 1
        if request.param == "after":
            await ask(self, calls, timeout_s)
        self.shut_down()
        return await ask(self, [Call("SELECT 1")], timeout_s)

    monkeypatch.setattr(Connection, "ask", ask_and_lose)
    return lost


async def test_a_lost_answer_to_a_commit_is_settled_by_its_token(
    losing: list[int], postgres: PostgresServer
) -> None:
    items, credit, events = own_tables("items", "credits", "events")
    key = Key(("a",))
    async with opened(postgres, items, credit, events) as adapter:
        insert = WriteUnit((Put(key, {"count": 1}),), token(), (IfAbsent(key),))
        (written,) = await write_all(adapter, items, [insert])
        assert losing[0] > 0
        assert isinstance(written, Written)
        found = await row(adapter, items, key)
        assert found is not None
        assert found.version == written.version
        losing[0] = 0
        change = ChangeCounters(credit.full_name, (Increment(key, 5, token()),))
        (changed,) = (await adapter.execute(change, context())).outcomes
        assert isinstance(changed, Changed)
        assert changed.counter.value == 5
        losing[0] = 0
        append = AppendRecords(events.full_name, (NewRecord(("a",), {}, token()),))
        (appended,) = (await adapter.execute(append, context())).outcomes
        assert isinstance(appended, Appended)
        assert appended.offset == 0
        assert (await adapter.execute(append, context())).outcomes == (appended,)


async def test_an_answer_that_stays_lost_is_unknown_and_a_resend_settles_it(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (items,) = own_tables("items")
    async with opened(postgres, items) as adapter:
        ask = Connection.ask
        attempts: list[int] = []

        async def never_answer(
            self: Connection, calls: Sequence[Call | Many], timeout_s: float
        ) -> list[list[SqlRow]]:
            if COMMIT in calls:
                attempts.append(1)
                await ask(self, calls, timeout_s)
                self.shut_down()
            elif attempts:
                self.shut_down()
            return await ask(self, calls, timeout_s)

        put_once = unit(Put(Key(("a",)), {"count": 1}))
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "ask", never_answer)
            with pytest.raises(WriteOutcomeUnknown):
                await write_all(adapter, items, [put_once], timeout_s=3.0)
        assert attempts == [1]
        (settled,) = await write_all(adapter, items, [put_once])
        found = await row(adapter, items, Key(("a",)))
        assert isinstance(settled, Written)
        assert found is not None
        assert found.version == settled.version


async def test_a_row_that_comes_back_stands_above_the_one_that_went(
    postgres: PostgresServer,
) -> None:
    (orders,) = own_tables("orders")
    behind = ShiftedClock(shift_us=-_HOUR_US)
    keys = [Key(("a",), (1, name)) for name in ("deleted", "in a range")]
    async with opened(postgres, orders) as ahead, opened(postgres, orders, clock=behind) as late:
        for key in keys:
            await put(ahead, orders, key, {"count": 1})
        gone = await write(ahead, orders, Delete(keys[0]))
        again = await put(late, orders, keys[0], {"count": 2})
        assert again.version > gone.version
        swept = await write(late, orders, DeleteRange(("a",)))
        assert swept.version > again.version
        assert (await put(late, orders, keys[1], {"count": 2})).version > swept.version


async def test_a_write_that_waits_for_a_lock_ends_in_time_and_lets_go(
    postgres: PostgresServer,
) -> None:
    (items,) = own_tables("items")
    async with opened(postgres, items) as adapter, opened(postgres, items) as other:
        deadline = other._clock.monotonic() + 10
        async with other._database.pool.connection(deadline) as connection:
            lock = Call(f"LOCK TABLE {other._names.slots} IN EXCLUSIVE MODE")
            await connection.ask([Call("BEGIN"), lock], 10)
            with pytest.raises(Unavailable, match="nothing was written"):
                await write_all(adapter, items, [unit(Put(Key(("a",)), {}))], timeout_s=0.3)
            await connection.ask([Call("ROLLBACK")], 10)
        await put(adapter, items, Key(("a",)), {"count": 1})
        assert adapter._database.pool._places._value == 10


async def test_one_value_that_the_server_refuses_fails_alone(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    columns = [{"count": 1}, {"count": 2**63}, {"text": "\ud800"}, {"unknown": 1}, {"count": 2}]
    units = [unit(Put(Key((str(n),)), held)) for n, held in enumerate(columns)]
    async with opened(postgres, items) as adapter:
        outcomes = await write_all(adapter, items, units)
        assert [type(outcome) for outcome in outcomes] == [Written, Failed, Failed, Failed, Written]
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                assert isinstance(outcome.error, InvalidArgument)
        assert await row(adapter, items, Key(("4",))) is not None


async def test_two_gateways_change_one_counter_in_turns(postgres: PostgresServer) -> None:
    (bounded,) = own_tables("bounded")
    key = Key(("a",))
    async with opened(postgres, bounded) as one, opened(postgres, bounded) as two:

        async def add(adapter: PostgresAdapter) -> bool:
            change = ChangeCounters(bounded.full_name, (Increment(key, 1, token()),))
            (outcome,) = (await adapter.execute(change, context())).outcomes
            return isinstance(outcome, Changed)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(add(turn)) for turn in (one, two) * 60]
        assert sum(task.result() for task in tasks) == 100
        read = await one.execute(GetCounters(bounded.full_name, (key,)), context())
        assert read.outcomes[0].value == 100


async def test_a_full_queue_is_refused_before_any_work(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    options = {"connections_max": 1, "waiting_max": 2}
    async with opened(postgres, items, options=options) as adapter:
        jobs = [write_all(adapter, items, [unit(Put(Key((str(n),)), {}))]) for n in range(8)]
        done = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [outcome for outcome in done if isinstance(outcome, Overloaded)]
    assert refused
    assert all(error.details["limit"] == "waiting_max" for error in refused)
    assert len(refused) + len([o for o in done if isinstance(o, tuple)]) == len(jobs)


async def test_a_transaction_that_stays_in_conflict_is_refused_as_contention(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (items,) = own_tables("items")
    async with opened(postgres, items) as adapter:
        ask = Connection.ask

        async def always_restart(
            self: Connection, calls: Sequence[Call | Many], timeout_s: float
        ) -> list[list[SqlRow]]:
            if COMMIT in calls:
                raise_40001 = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"
                calls = [*calls[:-1], Call(raise_40001)]
            # So that the deadline passes between attempts, and not in the middle of one.
            return await ask(self, calls, 60.0)

        monkeypatch.setattr(Connection, "ask", always_restart)
        with pytest.raises(Contention):
            await write_all(adapter, items, [unit(Put(Key(("a",)), {}))], timeout_s=3.0)
        monkeypatch.undo()
        assert await row(adapter, items, Key(("a",))) is None
