"""Clients that cache by themselves, and are told what this worker hears of writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from taulu.cache.near import Place

WAITING_MAX = 10_000
"""Places that wait for one client; past that it is told that it missed something."""


@dataclass(slots=True, eq=False)
class Watcher:
    """One client, and the tables that it caches."""

    tables: frozenset[str]
    _waiting: list[Place] = field(default_factory=list[Place])
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    has_missed: bool = False

    def tell(self, places: Sequence[Place]) -> None:
        """Keep the places of its tables for it."""
        mine = [place for place in places if place.table in self.tables]
        if not mine:
            return
        if len(self._waiting) + len(mine) > WAITING_MAX:
            self._waiting.clear()
            self.has_missed = True
        else:
            self._waiting += mine
        self._arrived.set()

    async def next(self, wait_s: float) -> list[Place]:
        """Return what has come, as soon as something has, or nothing after a time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        # What came just as the time ran out is taken too: what is vouched for covers it.
        self._arrived.clear()
        waiting, self._waiting = self._waiting, []
        return waiting


@dataclass(slots=True)
class Watchers:
    """All of one worker's."""

    _watchers: list[Watcher] = field(default_factory=list[Watcher])

    def add(self, tables: frozenset[str]) -> Watcher:
        """Let a client watch tables from now on."""
        watcher = Watcher(tables)
        self._watchers.append(watcher)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """Let a client go."""
        self._watchers.remove(watcher)

    def tell(self, places: Sequence[Place]) -> None:
        """Tell all that places were written."""
        for watcher in self._watchers:
            watcher.tell(places)

    def __len__(self) -> int:
        """Return how many clients watch."""
        return len(self._watchers)
