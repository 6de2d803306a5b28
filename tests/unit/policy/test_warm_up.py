from __future__ import annotations

from dataclasses import replace

from taulu.cache.flights import Flights
from taulu.cache.near import Place
from taulu.model import RowPage, ScanRows
from taulu.policy.warm_up import WarmUp
from taulu.spi import Context
from tests.unit.policy.cached_store import NEAR, USERS, cached


async def test_a_warm_up_that_ends_leaves_the_ears_of_another_alone() -> None:
    async with cached(replace(NEAR, warm_up_rows=5)) as it:
        flights: Flights = it.room.flights
        other: set[Place] = set()

        async def scan(operation: ScanRows, context: Context) -> RowPage:
            del operation, context
            flights.overhearing.insert(0, other)
            return RowPage((), it.store._facts())

        loads = it.run.cache.loads  # type: ignore[attr-defined]
        await WarmUp(scan, USERS, loads, it.run.keys).run()  # type: ignore[arg-type, attr-defined]
        assert [heard is other for heard in flights.overhearing] == [True]
