from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taulu.model import FromEarliest, GetRows, Overloaded, ReadLog
from taulu.policy.admission import Admission, Gate
from taulu.spi import Context
from tests.unit.policy.parts import CONTEXT, Recorder

READ = GetRows("shop.orders", ())


async def test_calls_past_the_limit_are_refused_and_places_come_back():
    release = asyncio.Event()

    async def slow(operation: Any, context: Context) -> Any:
        await release.wait()

    gate = Gate(calls_max=2)
    admission = Admission(slow, gate)
    running = [asyncio.ensure_future(admission(READ, CONTEXT)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as refused:
        await admission(READ, CONTEXT)
    assert refused.value.details["limit"] == "concurrent_calls"
    assert refused.value.retry_after_s is not None
    release.set()
    await asyncio.gather(*running)
    await admission(READ, CONTEXT)
    assert gate.calls == 0


async def test_a_failed_call_gives_its_place_back():
    async def fail(operation: Any, context: Context) -> Any:
        raise Overloaded("the store is full")

    gate = Gate(calls_max=1)
    for _ in range(3):
        with pytest.raises(Overloaded, match="the store is full"):
            await Admission(fail, gate)(READ, CONTEXT)


async def test_a_reader_that_waits_for_records_takes_no_place(recorder: Recorder):
    waiting = ReadLog("shop.events", 0, FromEarliest(), 1, 1, wait_s=1.0)
    await Admission(recorder, Gate(calls_max=0))(waiting, CONTEXT)
    assert recorder.seen == [waiting]
