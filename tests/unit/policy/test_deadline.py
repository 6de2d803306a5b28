from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taulu.model import (
    DeadlineExceeded,
    Delete,
    GetRows,
    Key,
    WriteOutcomeUnknown,
    WriteRows,
    WriteUnit,
)
from taulu.policy.deadline import Deadline
from taulu.spi import Context
from tests.unit.policy.parts import DrivenClock, Recorder, token

READ = GetRows("shop.orders", (Key(("a",), (1,)),))
WRITE = WriteRows("shop.orders", (WriteUnit((Delete(Key(("a",), (1,))),), token()),))


async def never(operation: Any, context: Context) -> Any:
    await asyncio.Event().wait()


async def test_a_call_in_time_passes(recorder: Recorder, clock: DrivenClock):
    await Deadline(recorder, clock)(READ, Context(deadline=1.0))
    assert recorder.seen == [READ]


@pytest.mark.parametrize("operation", [READ, WRITE])
async def test_a_passed_deadline_does_nothing(
    recorder: Recorder, clock: DrivenClock, operation: Any
):
    clock.seconds = 2.0
    with pytest.raises(DeadlineExceeded, match="nothing was done"):
        await Deadline(recorder, clock)(operation, Context(deadline=1.0))
    assert recorder.seen == []


async def test_a_read_that_is_cut_off_says_so(clock: DrivenClock):
    with pytest.raises(DeadlineExceeded, match="being read"):
        await Deadline(never, clock)(READ, Context(deadline=0.01))


async def test_a_write_that_is_cut_off_admits_that_its_fate_is_unknown(clock: DrivenClock):
    with pytest.raises(WriteOutcomeUnknown, match="same token"):
        await Deadline(never, clock)(WRITE, Context(deadline=0.01))
