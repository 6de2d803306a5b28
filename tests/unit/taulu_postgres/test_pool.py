"""A pool whose connections take their time; what they connect to does not matter here."""

from __future__ import annotations

import pytest

from taulu_postgres._driver import Connection, DriverError
from taulu_postgres.mapping import is_lost
from taulu_postgres.pool import Pool, PoolLimits
from tests.unit.policy.parts import DrivenClock


def pool_of(clock: DrivenClock, takes_s: float) -> Pool:
    async def connect(within_s: float) -> Connection:
        clock.seconds += min(within_s, takes_s)
        raise TimeoutError

    return Pool("db", connect, PoolLimits(1, 1, connect_timeout_s=5.0), clock)


async def test_a_connection_that_is_slow_may_be_tried_again_while_the_call_has_time() -> None:
    clock = DrivenClock()
    with pytest.raises(DriverError, match="in time") as failed:
        async with pool_of(clock, takes_s=9.0).connection(deadline=20.0):
            pass
    assert clock.seconds == 5.0
    assert is_lost(failed.value)


async def test_a_call_whose_time_is_over_while_it_connects_is_too_late() -> None:
    clock = DrivenClock()
    with pytest.raises(TimeoutError):
        async with pool_of(clock, takes_s=9.0).connection(deadline=3.0):
            pass
    assert clock.seconds == 3.0
