from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from taulu.gateway import Binding, Gateway
from taulu.model import FromOffset, LogPage, LogRecord, ReadLog, RowPage
from taulu.server.data_service import DataService
from taulu.server.log_service import LogService
from taulu.server.method import Call
from taulu.spi import Adapter, Context
from taulu.v1 import data_pb2, log_pb2
from tests.unit.policy.parts import CONTEXT, EVENTS, FACTS, ORDERS, DrivenClock, Recorder

PAGES = 5
SLOW_S = 4.0
"""How long the reader takes over each page; together longer than a call's default deadline."""


@dataclass
class Pages:
    """The pipeline: a few pages, each of which must come before its deadline."""

    clock: DrivenClock
    served: int = 0

    async def __call__(self, operation: Any, context: Context) -> Any:
        assert self.clock.monotonic() < context.deadline
        self.served += 1
        self.clock.seconds += SLOW_S
        if isinstance(operation, ReadLog):
            return LogPage((), self.served, PAGES, FACTS)
        return RowPage((), FACTS, next_token="next" if self.served < PAGES else "")


def streams(pages: Pages) -> Sequence[Any]:
    bindings = {t.full_name: Binding(t, cast(Adapter, None), pages) for t in (ORDERS, EVENTS)}
    gateway = Gateway(bindings)
    return (
        lambda call: DataService(gateway, pages.clock).scan(
            data_pb2.ScanRequest(table="shop.orders"), call
        ),
        lambda call: LogService(gateway, pages.clock).read(
            log_pb2.ReadRequest(table="shop.events"), call
        ),
    )


@pytest.mark.parametrize("number", [0, 1])
async def test_a_stream_without_a_deadline_lasts_as_long_as_its_reader_takes(number: int):
    pages = Pages(DrivenClock())
    call = Call(Context(deadline=5.0), has_deadline=False)
    assert len([page async for page in streams(pages)[number](call)]) == PAGES


@pytest.mark.parametrize("number", [0, 1])
async def test_a_stream_keeps_the_deadline_that_its_caller_set(number: int):
    pages = Pages(DrivenClock())
    call = Call(Context(deadline=5.0), has_deadline=True)
    with pytest.raises(AssertionError):
        async for _ in streams(pages)[number](call):
            pass
    assert pages.served == 2


async def test_a_stream_that_follows_says_where_it_begins_and_then_only_what_came():
    looks = 0

    def answer(asked: ReadLog) -> LogPage:
        nonlocal looks
        looks += 1
        assert looks == 1 or asked.start == FromOffset(7)
        record = LogRecord(0, 7, 1, ("a",), {})
        return LogPage((record,), 8, 8, FACTS) if looks == 4 else LogPage((), 7, 7, FACTS)

    bindings = {EVENTS.full_name: Binding(EVENTS, cast(Adapter, None), Recorder(answer))}
    logs = LogService(Gateway(bindings), DrivenClock())
    request = log_pb2.ReadRequest(
        table="shop.events", follow=True, latest=log_pb2.Latest(), record_count_max=1
    )
    pages = [page async for page in logs.read(request, Call(CONTEXT, has_deadline=True))]
    assert [(page.next_offset, len(page.records)) for page in pages] == [(7, 0), (8, 1)]


async def test_a_count_below_zero_limits_a_log_read_as_little_as_none():
    asked = Recorder(lambda _: LogPage((), 0, 0, FACTS))
    bindings = {EVENTS.full_name: Binding(EVENTS, cast(Adapter, None), asked)}
    logs = LogService(Gateway(bindings), DrivenClock())
    for count in (0, -5):
        request = log_pb2.ReadRequest(table="shop.events", record_count_max=count)
        _ = [page async for page in logs.read(request, Call(CONTEXT, has_deadline=True))]
    assert asked.seen[0] == asked.seen[1]
