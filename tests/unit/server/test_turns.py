from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from taulu.gateway import Binding, Gateway
from taulu.model import GetRows, Key, LogPage, LogRecord, ReadLog, Row, RowPage, RowReads
from taulu.server.data_service import DataService
from taulu.server.log_service import LogService
from taulu.server.method import Call
from taulu.spi import Adapter
from taulu.v1 import data_pb2, log_pb2, value_pb2
from tests.unit.policy.parts import CONTEXT, EVENTS, FACTS, ORDERS, DrivenClock, Recorder

ROWS = 20
CALL = Call(CONTEXT, has_deadline=True)
KEY = value_pb2.Key(partition=[value_pb2.Value(string_value="a")])


@dataclass
class SlowClock(DrivenClock):
    """A clock by which whatever is done between two looks takes a second."""

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds


def answer(operation: Any) -> Any:
    match operation:
        case ReadLog():
            records = tuple(LogRecord(0, n, 1, ("a",), {"what": "x"}) for n in range(ROWS))
            return LogPage(records, ROWS, ROWS, FACTS)
        case GetRows():
            return RowReads(tuple(Row(Key(("a",), (n,)), {}, 7) for n in range(ROWS)), FACTS)
        case _:
            return RowPage(tuple(Row(Key(("a",), (n,)), {}, 7) for n in range(ROWS)), FACTS)


async def count_of_scan(data: DataService) -> int:
    request = data_pb2.ScanRequest(table="shop.orders")
    return sum([len(page.rows) async for page in data.scan(request, CALL)])


async def count_of_read(logs: LogService) -> int:
    request = log_pb2.ReadRequest(table="shop.events")
    return sum([len(page.records) async for page in logs.read(request, CALL)])


async def count_of_get(data: DataService) -> int:
    request = data_pb2.BatchGetRequest(table="shop.orders", keys=[KEY] * ROWS)
    return len((await data.batch_get(request, CALL)).outcomes)


async def count_of_query(data: DataService) -> int:
    request = data_pb2.QueryRequest(table="shop.orders")
    return len((await data.query(request, CALL)).rows)


def reads(clock: DrivenClock) -> Sequence[Any]:
    pipeline = Recorder(answer)
    bindings = {t.full_name: Binding(t, cast(Adapter, None), pipeline) for t in (ORDERS, EVENTS)}
    data, logs = DataService(Gateway(bindings), clock), LogService(Gateway(bindings), clock)
    return [
        lambda: count_of_get(data),
        lambda: count_of_query(data),
        lambda: count_of_scan(data),
        lambda: count_of_read(logs),
    ]


async def turns_of_others(read: Callable[[], Awaitable[int]]) -> int:
    """Return how often another task ran while all rows were read."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    try:
        assert await read() == ROWS
    finally:
        task.cancel()
    return turns


@pytest.mark.parametrize("number", range(4))
async def test_a_large_reply_lets_other_calls_run_between_its_rows(number: int) -> None:
    assert await turns_of_others(reads(SlowClock())[number]) >= ROWS


@pytest.mark.parametrize("number", range(4))
async def test_a_small_reply_is_made_in_one_turn(number: int) -> None:
    assert await turns_of_others(reads(DrivenClock())[number]) <= 1
