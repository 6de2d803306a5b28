"""One writer at a time per partition, within this process.

Paxos lets only one step of a partition through at a time; callers of one process that met there
would only make each other try again. Other processes are met at Cassandra.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Lanes:
    """The lanes that are in use; each is forgotten with its last user."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane] = {}

    @asynccontextmanager
    async def taken(self, place: Hashable, wait_s: float) -> AsyncGenerator[None]:
        """Hold the lane of a partition. Raises `TimeoutError` when it is not free in time."""
        lane = self._lanes.setdefault(place, _Lane())
        lane.users += 1
        try:
            await asyncio.wait_for(lane.lock.acquire(), max(wait_s, 0.0))
            try:
                yield
            finally:
                lane.lock.release()
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[place]
