"""The connections of one gateway process: few, made when needed, never waited for past a deadline.

Not psycopg's own pool (docs/adr/0033): there a lost connection is replaced in the background with
growing pauses, so that calls wait for a server that is back; here the next call connects.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from taulu.model import Clock, Overloaded, Unavailable
from taulu_postgres._driver import Call, Connection, DriverError

_OVERLOAD_RETRY_S = 0.1
_ROLLBACK_S_MAX = 1.0
_CLOSE_S_MAX = 5.0

Connect = Callable[[float], Awaitable[Connection]]
"""Opens a connection within so many seconds, ready for statements."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """See `PostgresSettings`."""

    connections_max: int
    waiting_max: int
    connect_timeout_s: float


class Pool:
    """Lends connections. Not for two event loops."""

    def __init__(self, place: str, connect: Connect, limits: PoolLimits, clock: Clock) -> None:
        self._place = place
        self._connect = connect
        self._limits = limits
        self._clock = clock
        self._places = asyncio.Semaphore(limits.connections_max)
        self._waiting = 0
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._is_closed = False

    @asynccontextmanager
    async def connection(self, deadline: float) -> AsyncGenerator[Connection]:
        """Lend a connection; it goes back idle, or is closed.

        Raises:
            Overloaded: Too many calls wait already.
            Unavailable: The pool was closed.
            DriverError: A connection could not be made.
            TimeoutError: None was free, or could be made, before the deadline.
        """
        await self._take_place(deadline)
        try:
            connection = await self._ready(deadline)
            self._lent.add(connection)
            try:
                yield connection
            finally:
                self._lent.discard(connection)
                await self._take_back(connection)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Let what is under way finish, as far as it does soon, and close; safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S_MAX):
                for _ in range(self._limits.connections_max):
                    await self._places.acquire()
        for connection in self._lent:
            connection.shut_down()
        for connection in self._idle:
            await connection.close()
        self._idle.clear()

    def left_s(self, deadline: float) -> float:
        """Return how many seconds are left.

        Raises:
            TimeoutError: None are.
        """
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    async def _take_place(self, deadline: float) -> None:
        if self._is_closed:
            raise Unavailable(f"{self._place} is being closed; send the request again")
        if self._places.locked() and self._waiting >= self._limits.waiting_max:
            raise Overloaded(
                f"{self._waiting} calls wait for a connection to {self._place} already "
                "(waiting_max); send the request again later",
                details={"limit": "waiting_max", "value": str(self._limits.waiting_max)},
                retry_after_s=_OVERLOAD_RETRY_S,
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(self.left_s(deadline)):
                await self._places.acquire()
        finally:
            self._waiting -= 1

    async def _ready(self, deadline: float) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_ended:
                return connection
            await connection.close()
        within_s = min(self._limits.connect_timeout_s, self.left_s(deadline))
        try:
            return await self._connect(within_s)
        except TimeoutError as error:
            # Unless it is the caller's time that is over, it may be tried again.
            self.left_s(deadline)
            raise DriverError("no connection could be made in time") from error

    async def _take_back(self, connection: Connection) -> None:
        if not connection.is_broken and not connection.is_idle:
            try:
                await connection.ask([Call("ROLLBACK")], _ROLLBACK_S_MAX)
            except (DriverError, TimeoutError):
                await connection.close()
        if connection.is_broken or self._is_closed:
            await connection.close()
        else:
            self._idle.append(connection)
