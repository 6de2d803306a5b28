from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from taulu.gateway import Binding, Gateway
from taulu.model import LimitExceeded, Limits, Table
from taulu.server.counter_service import CounterService
from taulu.server.data_service import DataService
from taulu.server.log_service import LogService
from taulu.server.method import Call
from taulu.spi import Adapter
from taulu.v1 import counter_pb2, data_pb2, log_pb2
from taulu.v1.value_pb2 import Key
from tests.unit.policy.parts import CONTEXT, CREDITS, EVENTS, ORDERS, DrivenClock, Recorder

LIMITS = Limits(batch_keys=2, batch_units=2, unit_mutations=2)
CALL = Call(CONTEXT, has_deadline=True)
# Nothing is set in any of these, so that each would fail as soon as it was looked at.
UNIT, MUTATION, CONDITION = data_pb2.WriteUnit(), data_pb2.Mutation(), data_pb2.Condition()
ORDERS_NAME, CREDITS_NAME, EVENTS_NAME = "shop.orders", "shop.credits", "shop.events"


def gateway(recorder: Recorder) -> Gateway:
    """Serve the tables with small limits, and with no pipeline that would count again."""
    tables: list[Table] = [replace(table, limits=LIMITS) for table in (ORDERS, CREDITS, EVENTS)]
    bindings = {t.full_name: Binding(t, cast(Adapter, None), recorder) for t in tables}
    return Gateway(bindings)


def calls(recorder: Recorder) -> list[Callable[[], Awaitable[Any]]]:
    """Return calls that each have one item too many."""
    served, clock = gateway(recorder), DrivenClock()
    data, logs = DataService(served, clock), LogService(served, clock)
    counters = CounterService(served, clock)
    crowded = data_pb2.WriteUnit(mutations=[MUTATION] * 2, conditions=[CONDITION])
    return [
        lambda: data.batch_get(data_pb2.BatchGetRequest(table=ORDERS_NAME, keys=[Key()] * 3), CALL),
        lambda: data.batch_write(
            data_pb2.BatchWriteRequest(table=ORDERS_NAME, units=[UNIT] * 3), CALL
        ),
        lambda: data.batch_write(
            data_pb2.BatchWriteRequest(table=ORDERS_NAME, units=[crowded]), CALL
        ),
        lambda: data.write(
            data_pb2.WriteRequest(table=ORDERS_NAME, mutations=[MUTATION] * 3), CALL
        ),
        lambda: counters.get_counters(
            counter_pb2.GetCountersRequest(table=CREDITS_NAME, keys=[Key()] * 3), CALL
        ),
        lambda: logs.append(
            log_pb2.AppendRequest(table=EVENTS_NAME, records=[log_pb2.NewRecord()] * 3), CALL
        ),
    ]


@pytest.mark.parametrize("number", range(6))
async def test_a_batch_past_its_limit_is_refused_before_its_items_are_looked_at(number: int):
    recorder = Recorder()
    with pytest.raises(LimitExceeded) as refused:
        await calls(recorder)[number]()
    assert (refused.value.details["sent"], refused.value.details["value"]) == ("3", "2")
    assert recorder.seen == []


async def test_a_batch_at_its_limit_has_an_outcome_for_each_item():
    recorder = Recorder()
    request = data_pb2.BatchWriteRequest(table=ORDERS_NAME, units=[UNIT] * 2)
    reply = await DataService(gateway(recorder), DrivenClock()).batch_write(request, CALL)
    assert [outcome.failed.code for outcome in reply.outcomes] == ["INVALID_TOKEN"] * 2
