"""How often the store is read for one cold row that many ask for at once, in simulated time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from taulu.model import Consistency, GetRows, Key, Level, RowReads
from tests.cache.registers import Registers
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_network import Network
from tests.cache.sim_store import ModelStore, StoreFaults
from tests.cache.sim_tables import TABLES
from tests.cache.sim_time import SimClock, simulate
from tests.cache.world import OPTIONS

READERS = 500
ROWS = 40
STORE_S = 0.02


def loads_of_cold_rows() -> list[dict[str, object]]:
    """Return the loads of each cold row, for one gateway and several."""
    return [simulate(_loads(gateways)) for gateways in (1, 2, 4)]


async def _loads(gateways: int) -> dict[str, object]:
    store = ModelStore(random.Random(1), Registers(), StoreFaults(STORE_S, slow_share=0.0))
    network = Network(random.Random(2))
    table = next(table for table in TABLES if table.name == "long")
    options = replace(OPTIONS, lease_s=3.0)
    made = [
        SimGateway(f"g{at}", SimClock(), store, network, [table], options, random.Random(at))
        for at in range(gateways)
    ]
    for gateway in made:
        await gateway.start()
    loads: list[int] = []
    for row in range(ROWS):
        before = store.reads
        read = GetRows(
            table.full_name, (Key((f"row-{row}",)),), consistency=Consistency(Level.EVENTUAL)
        )
        calls = (made[at % gateways].call(read, 10.0) for at in range(READERS))
        replies = await asyncio.gather(*calls)
        assert all(isinstance(reply, RowReads) for reply in replies)
        loads.append(store.reads - before)
    for gateway in made:
        await gateway.stop()
    return {
        "gateways": gateways,
        "readers": READERS,
        "cold_rows": ROWS,
        "loads_per_row_mean": sum(loads) / ROWS,
        "loads_per_row_max": max(loads),
    }
