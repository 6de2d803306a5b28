"""The news of writes to the tables that a client caches, over one stream to one worker.

A worker says since when it has missed nothing, and up to when all news have come, on its own
clock. The two clocks are brought together by the stream's beginning: its first response was
made after it was asked for, so a time of the worker's is never taken to be later than it was
(`earliest`) where that would make copies look fresher, nor to be earlier (`latest`) where it
would make more of them count. No wall clock of a client matters.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from taulu.cache.demand import NO_TRUST, Trust
from taulu.model.clock import Clock
from taulu.model.errors import TauluError, Unavailable, UnknownTable
from taulu.v1 import cache_pb2, catalog_pb2
from taulu_client import rpc
from taulu_client.rpc import Rpc
from taulu_client.table_info import TableInfo, table_info

_log = logging.getLogger(__name__)

SILENCE_S_MAX = 5.0
"""How long a stream may be silent, ten beats, before another is opened."""
RENEW_S = 300.0
"""How long one stream is used, for two clocks drift apart."""
BEGIN_S_MAX = 0.5
"""How long the first response may take: what is vouched for lies behind by up to that and a beat,
and a table may have a bound of 2 s."""
RENEW_SLOW_S = 10.0
"""How long a stream is used that took longer to begin: a moment of trouble must not cost what
clients keep for as long as a good stream lasts."""
DRIFT = 0.001
"""How fast, at most: twice what is allowed to a clock that is being corrected."""
PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 2.0
"""How long a gateway is left alone that cannot be watched."""
_DESCRIBE_S_MAX = 5.0


class Listener(Protocol):
    """What holds copies of one table's rows."""

    def described(self, info: TableInfo) -> None:
        """Take in what the gateway says of the table now."""
        ...

    def dropped(self, keys: Sequence[bytes]) -> None:
        """Let go of places that were written."""
        ...


@dataclass(slots=True)
class _Clocks:
    """How the worker's clock lies to ours, both monotonic."""

    asked_s: float
    first_us: int
    ahead_s: float
    """How far ours is ahead of the worker's, at most."""
    end_s: float
    """Until when they are compared by these times, on our clock."""

    @classmethod
    def at_first(cls, asked_s: float, first_us: int, now_s: float) -> _Clocks:
        """Return what the first response tells of them, which has come now."""
        is_slow = now_s - asked_s > BEGIN_S_MAX
        end_s = asked_s + (RENEW_SLOW_S if is_slow else RENEW_S)
        return cls(asked_s, first_us, float("inf"), end_s)

    def earliest(self, at_us: int, now_s: float) -> float:
        """Return a time of the worker's on our clock, or an earlier one."""
        since_asked_s = (at_us - self.first_us) / 1e6
        return self.asked_s + since_asked_s - DRIFT * (now_s - self.asked_s)

    def latest(self, at_us: int, sent_us: int) -> float:
        """Return a time of the worker's on our clock, or a later one."""
        return at_us / 1e6 + self.ahead_s + DRIFT * max(0.0, (sent_us - at_us) / 1e6)


@dataclass(slots=True)
class Feed:
    """Watches all tables that one client caches."""

    rpc: Rpc
    clock: Clock
    number: int = 0
    """Which stream, or unbroken part of one, is heard now; 0 for none."""
    worker: int = 0
    """The run of the worker that it comes from."""
    _count: int = 0
    _trust: dict[str, Trust] = field(default_factory=dict[str, Trust])
    _listeners: dict[str, Listener] = field(default_factory=dict[str, Listener])
    _task: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _pause_s: float = PAUSE_S_MIN
    choose: random.Random = field(default_factory=random.Random)

    def add(self, table: str, listener: Listener) -> None:
        """Watch one table more; the stream begins anew for it."""
        self._listeners[table] = listener
        if self._task is not None:
            self._task.cancel()
        self._lost()
        self._task = asyncio.create_task(self._run(), name="taulu cache feed")

    async def wait(self, table: str, wait_s: float) -> None:
        """Wait until a table's news are heard, but not for long."""
        try:
            async with asyncio.timeout(wait_s):
                while table not in self._trust:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """End the stream."""
        self._lost()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def trust(self, table: str, number: int) -> Trust:
        """Return what is vouched for of a copy that was read under a stream."""
        if not number or number != self.number:
            return NO_TRUST
        return self._trust.get(table, NO_TRUST)

    def _lost(self) -> None:
        """Trust nothing beyond its bound until another stream is heard."""
        self.number, self.worker = 0, 0
        self._trust.clear()

    async def _run(self) -> None:
        while True:
            try:
                await self._watch(await self._describe())
            except TauluError as error:
                # Once for each time that it is lost, not with every try.
                is_first = self._pause_s == PAUSE_S_MIN
                _log.log(
                    logging.WARNING if is_first else logging.DEBUG,
                    "news of writes cannot be heard, so what is cached is served within the "
                    "bounds of its tables: %s",
                    error,
                )
            self._lost()
            # At random, so that the clients of a worker that ended do not come back as one.
            await asyncio.sleep(self._pause_s * self.choose.uniform(0.5, 1.0))
            self._pause_s = min(self._pause_s * 2, PAUSE_S_MAX)

    async def _describe(self) -> list[str]:
        """Ask what the tables are like now, and return those that can be watched."""
        names: list[str] = []
        for name, listener in list(self._listeners.items()):
            request = catalog_pb2.GetTableRequest(table=name)
            try:
                reply = await self.rpc.call(rpc.GET_TABLE, request, _DESCRIBE_S_MAX)
            except UnknownTable as error:
                _log.debug("a table that is cached is there no more: %s", error)
                continue
            info = table_info(reply.table)
            listener.described(info)
            if info.cache is not None:
                names.append(name)
        return names

    async def _watch(self, names: Sequence[str]) -> None:
        """Hear one stream until it ends or is to be renewed.

        Raises:
            TauluError: It broke, was silent for too long, or comes from the future.
        """
        if not names:
            raise Unavailable("the gateway caches none of the tables any more")
        asked_s = self.clock.monotonic()
        stream = self.rpc.stream(rpc.WATCH, cache_pb2.WatchRequest(tables=names), None)
        clocks: _Clocks | None = None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SILENCE_S_MAX) as silence, aclosing(stream) as news:
                async for message in news:
                    now_s = self.clock.monotonic()
                    clocks = clocks or _Clocks.at_first(asked_s, message.sent_us, now_s)
                    self._take(message, clocks, now_s)
                    if now_s > clocks.end_s:
                        return
                    silence.reschedule(loop.time() + SILENCE_S_MAX)
        except TimeoutError as error:
            raise Unavailable(f"the gateway was silent for {SILENCE_S_MAX:g} s") from error

    def _take(self, message: cache_pb2.WatchResponse, clocks: _Clocks, now_s: float) -> None:
        clocks.ahead_s = min(clocks.ahead_s, now_s - message.sent_us / 1e6)
        for gone in message.invalidations:
            listener = self._listeners.get(gone.table)
            if listener is not None:
                listener.dropped(gone.places)
        if clocks.earliest(message.sent_us, now_s) > now_s:
            raise Unavailable("this machine was asleep, or its clock lags behind the gateway's")
        if not self.number or message.missed:
            self._count += 1
            self.number, self.worker = self._count, message.worker.run
            self._pause_s = PAUSE_S_MIN
        for vouching in message.vouchings:
            self._trust[vouching.table] = _trust(vouching, message.sent_us, clocks, now_s)
        self._changed.set()


def _trust(vouching: cache_pb2.Vouching, sent_us: int, clocks: _Clocks, now_s: float) -> Trust:
    if not vouching.vouched:
        return NO_TRUST
    return Trust(
        clocks.latest(vouching.since_us, sent_us), clocks.earliest(vouching.until_us, now_s)
    )
