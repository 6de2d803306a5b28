"""What a read is told that the driver ends: no broker is asked."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from taulu.model import DeadlineExceeded, Unavailable
from taulu_kafka._driver import Consumer, DriverError
from taulu_kafka.readers import Budget, Readers, _Job

NOW_S = 100.0


class Unassigned:
    """Stands for a consumer where only what is told of a failure counts."""

    def unassign(self) -> None:
        """Let go of nothing."""


def time_out(consumer: Consumer, budget: Budget) -> None:
    raise DriverError("_TIMED_OUT", "Local: Timed out")


@pytest.mark.parametrize(
    ("left_s", "told"), [(0.0015, DeadlineExceeded), (1.0, Unavailable)], ids=["in time", "early"]
)
async def test_a_driver_that_gives_up_just_before_the_deadline_was_out_of_time(
    left_s: float, told: type[Exception]
) -> None:
    readers = Readers({}, 0, 1, lambda: NOW_S)
    result: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    readers._do(cast("Consumer", Unassigned()), _Job(time_out, NOW_S + left_s, result))
    with pytest.raises(told):
        await result
