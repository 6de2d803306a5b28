"""News that wait to be sent, gathered as a group commit gathers transactions (DeWitt et al. 1984).

One message of a worker is on its way at a time, so that they arrive in the order of their
numbers. What is written meanwhile waits in one *batch* and goes with the next message, whoever
wrote it. So a writer waits for the message that is on its way and for its own, however many
others there are; a batch that is full is followed by another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

MESSAGE_BYTES_MAX = 32 * 1024
"""How many bytes of places one message names, unless a single place is longer."""

Places: TypeAlias = dict[str, dict[bytes, None]]
"""What was written, by table: each place once, in the order in which they came."""
Run: TypeAlias = Callable[[Coroutine[None, None, None]], "asyncio.Task[None]"]
"""Lets something go on beside the call that began it."""


@dataclass(slots=True, eq=False)
class _Batch:
    """News that go out as one message."""

    places: Places = field(default_factory=Places)
    bytes: int = 0
    sent: asyncio.Task[None] = field(init=False)
    """Done when they were sent, or could not be."""

    def add(self, table: str, place: bytes) -> None:
        self.places.setdefault(table, {})[place] = None
        self.bytes += len(place)


@dataclass(slots=True)
class SendQueue:
    """What one worker has to say on one channel."""

    run: Run
    send: Callable[[Places], Coroutine[None, None, None]]
    """Sends one message."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever sends."""
    _gathering: _Batch | None = None
    """The batch that news may still join."""

    async def put(self, table: str, places: Sequence[bytes]) -> None:
        """Send places of a table with what else waits; return once that was done, or failed.

        Sending belongs to none of the writers: one that is cut off takes no news along, neither
        its own nor another's.
        """
        batches = [self._join(table, place) for place in places]
        if batches:
            # They go in order. Where the worker ends before, this is cancelled: what others were
            # not told of is not acknowledged.
            await asyncio.shield(batches[-1].sent)

    async def flush(self) -> None:
        """Return once all that waits now was sent, or failed."""
        if self._gathering is not None:
            await asyncio.shield(self._gathering.sent)

    def _join(self, table: str, place: bytes) -> _Batch:
        batch = self._gathering
        if batch is None or batch.bytes + len(place) > MESSAGE_BYTES_MAX:
            batch = self._gathering = _Batch()
            batch.sent = self.run(self._send(batch))
        batch.add(table, place)
        return batch

    async def _send(self, batch: _Batch) -> None:
        async with self.turn:
            if self._gathering is batch:
                # What is written from now on is not in this message.
                self._gathering = None
            await self.send(batch.places)
