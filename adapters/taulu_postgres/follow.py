"""Waiting for log records: one look at a log's ends per tick, however many readers wait.

Not LISTEN and NOTIFY (docs/adr/0032): every transaction that notifies takes one lock of the whole
database while it commits, and CockroachDB has neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from taulu.model import TauluError
from taulu_postgres.stored import StoredTable

_log = logging.getLogger(__name__)

Ends = Mapping[int, int]
"""The end of each partition of a log."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    stored: StoredTable
    partition: int
    behind: int
    moved: asyncio.Event


class Follower:
    """Wakes readers when a log grows: at once when this process appends, else at the next tick."""

    def __init__(self, look: Callable[[StoredTable], Awaitable[Ends]], interval_s: float) -> None:
        self._look = look
        self._interval_s = interval_s
        self._readers: set[_Reader] = set()
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self, stored: StoredTable, partition: int, behind: int, timeout_s: float
    ) -> None:
        """Return when the partition's end is beyond an offset, or after the timeout."""
        reader = _Reader(stored, partition, behind, asyncio.Event())
        self._readers.add(reader)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.moved.wait(), timeout_s)
        finally:
            self._readers.discard(reader)

    def appended(self, stored: StoredTable, ends: Ends) -> None:
        """Take in what was just appended by this process."""
        for reader in self._readers:
            if reader.stored is stored and ends.get(reader.partition, 0) > reader.behind:
                reader.moved.set()

    async def close(self) -> None:
        """End the watch; safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while self._readers:
            await asyncio.sleep(self._interval_s)
            for stored in {reader.stored.id: reader.stored for reader in self._readers}.values():
                try:
                    self.appended(stored, await self._look(stored))
                except TauluError as error:
                    _log.warning("cannot look for new records: %s", error.message)
