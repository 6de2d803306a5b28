from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from taulu.gateway import Binding, Gateway
from taulu.model import LogPage, ReadLog, RowPage
from taulu.server.data_service import DataService
from taulu.server.log_service import LogService
from taulu.server.method import Call
from taulu.spi import Adapter, Context
from taulu.v1 import data_pb2, log_pb2
from tests.unit.policy.parts import EVENTS, FACTS, ORDERS, DrivenClock

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
