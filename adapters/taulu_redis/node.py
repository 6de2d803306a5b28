"""One server: a bounded number of connections, each used by one batch at a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from taulu.model import Clock, Overloaded
from taulu_redis._driver import Argument, Connection, DriverError, Reply
from taulu_redis.settings import Address, RedisSettings

_OVERLOAD_RETRY_S = 0.05

Greet = Callable[[Connection, Address], Awaitable[None]]
"""Makes a new connection ready, or raises a `TauluError` when it must not be used."""


class Broken(Exception):
    """The connection could not be had, or was lost."""

    def __init__(self, address: Address, trouble: str, *, was_sent: bool) -> None:
        super().__init__(f"{address}: {trouble}")
        self.was_sent = was_sent
        """Whether the server may have carried the commands out."""


class Node:
    """The connections to one server."""

    def __init__(
        self, address: Address, settings: RedisSettings, clock: Clock, greet: Greet
    ) -> None:
        self.address = address
        self.confirmed_at = -math.inf
        """When it was last known to be primary, on `Clock.monotonic`."""
        self._settings = settings
        self._clock = clock
        self._greet = greet
        self._slots = asyncio.Semaphore(settings.connections_max)
        self._waiting = 0
        self._idle: list[Connection] = []
        self._is_closed = False

    async def exchange(
        self, commands: Sequence[Sequence[Argument]], deadline: float
    ) -> list[Reply]:
        """Send commands on one connection and return their replies.

        Raises:
            Broken: It could not be done before the deadline, or the connection was lost.
            Overloaded: Too many batches wait for a connection.
            TauluError: The server must not be used.
        """
        was_sent = False
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            raise Broken(self.address, "no time left", was_sent=False)
        try:
            async with (
                asyncio.timeout(left_s),
                self._connection() as connection,
            ):
                was_sent = True
                return await connection.exchange(commands)
        except TimeoutError as error:
            raise Broken(self.address, "no answer in time", was_sent=was_sent) from error
        except (DriverError, OSError) as error:
            # What befell one connection has mostly befallen those that rest, too.
            await self._drop_idle()
            raise Broken(self.address, str(error), was_sent=was_sent) from error

    async def close(self) -> None:
        """Close what rests now, and what is in use when it is given back."""
        self._is_closed = True
        await self._drop_idle()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection; one on which anything went wrong is closed."""
        async with self._slot():
            connection = await self._open_connection()
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            if self._is_closed:
                await connection.close()
            else:
                self._idle.append(connection)

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        if self._slots.locked() and self._waiting >= self._settings.waiting_max:
            raise Overloaded(
                f"{self._waiting} batches wait for a connection to {self.address} already "
                "(waiting_max); send the request again later",
                details={"limit": "waiting_max", "value": str(self._settings.waiting_max)},
                retry_after_s=_OVERLOAD_RETRY_S,
            )
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _open_connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            await connection.close()
        return await self.open_alone()

    async def open_alone(self) -> Connection:
        """Open a connection that is not one of the node's: the caller closes it.

        Raises `DriverError`, `OSError`, or a `TauluError` when the server must not be used.
        """
        connection = Connection(self.address, self._settings)
        try:
            await connection.connect()
            await self._greet(connection, self.address)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()


async def ask(
    address: Address,
    settings: RedisSettings,
    commands: Sequence[Sequence[Argument]],
    *,
    is_sentinel: bool = False,
) -> list[Reply]:
    """Connect, ask, and hang up. Raises `DriverError` or `OSError`."""
    connection = Connection(address, settings, is_sentinel=is_sentinel)
    try:
        await connection.connect()
        return await connection.exchange(commands)
    finally:
        await connection.close()
