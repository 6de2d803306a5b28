"""Connections as this adapter uses them: the only file that touches `psycopg`.

A connection is asked several things in one round trip. It never waits past the deadline that
it was given: psycopg's own answer to a cancelled call is to ask the server to cancel, and to
wait for that, which takes seconds when the server is paused. Here the socket is shut down
instead; the server rolls back when it notices, at the latest by its statement timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, sql
from psycopg import Error as DriverError
from psycopg.conninfo import conninfo_to_dict

__all__ = [
    "Call",
    "Connection",
    "DriverError",
    "Many",
    "SqlRow",
    "connect",
    "is_refusal",
    "parse_dsn",
    "primary_message",
    "sql_state",
    "trouble_of",
]

SqlRow: TypeAlias = tuple[Any, ...]
"""One result row; what its fields are is known where its statement is."""

_STATEMENT_TIMEOUTS_S = (1, 2, 5, 10, 30, 60, 300, 3_600)
"""The server's limit is the first of these above the caller's, or not much more, so that it
changes seldom."""
_SLACK = 5
_ABORT_S_MAX = 1.0
_REFUSALS = (
    "authentication failed",
    "no pg_hba.conf entry",
    "no password supplied",
    "does not exist",
    "permission denied for database",
)
_TROUBLES = {
    "the database system is": "it is starting or stopping",
    "too many clients": "it has no connection left, see max_connections",
    "connection slots are reserved": "it has no connection left, see max_connections",
    "too many connections for": "it has no connection left for this user or database",
    "session is read-only": "it is a standby",
    "could not translate host name": "nobody knows its host",
    "Connection refused": "nothing listens there",
}
"""What a failure to connect comes of, by the driver's words in English."""


@dataclass(frozen=True, slots=True)
class Call:
    """One statement with its values, `$1` and up."""

    text: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Many:
    """One statement that is run once per row of values; it returns nothing."""

    text: str
    rows: Sequence[tuple[object, ...]]


def sql_state(error: DriverError) -> str | None:
    """Return the SQLSTATE of an error; None when it did not come from the server."""
    return error.sqlstate


def is_refusal(error: DriverError) -> bool:
    """Return whether a connection was refused for who asks, or for what database.

    The driver gives no SQLSTATE for errors of connecting, only the server's words.
    """
    return sql_state(error) is None and any(words in str(error) for words in _REFUSALS)


def trouble_of(error: DriverError) -> str:
    """Return what kept a connection from being made, in our own words; nothing if none fit.

    The driver's own text may hold parts of the connection string.
    """
    text = str(error)
    return next((trouble for words, trouble in _TROUBLES.items() if words in text), "")


def primary_message(error: DriverError) -> str:
    """Return the server's own one-line message, which holds no row's data."""
    return error.diag.message_primary or type(error).__name__


def parse_dsn(dsn: str) -> dict[str, str | int]:
    """Return the parts of a connection string or URI.

    Raises:
        DriverError: It is malformed; the message may hold parts of it.
    """
    return cast("dict[str, str | int]", conninfo_to_dict(dsn))


class Connection:
    """One connection. Not for two tasks at the same time.

    `ask` raises `DriverError`, or `TimeoutError` when the deadline passed; in that case, and
    whenever the connection broke, `is_broken` is true and the connection is of no more use.
    """

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._limit_s = -1

    @property
    def is_broken(self) -> bool:
        """Whether the connection is closed, or was lost."""
        return self._connection.closed

    @property
    def is_idle(self) -> bool:
        """Whether the connection stands outside of a transaction."""
        status = self._connection.info.transaction_status
        return status is psycopg.pq.TransactionStatus.IDLE

    @property
    def has_ended(self) -> bool:
        """Whether the server has closed a connection that stands unused, without asking it.

        A server says nothing to an idle session but its end, so anything to read is that.
        """
        if self._connection.closed:
            return True
        poller = select.poll()
        poller.register(self._connection.pgconn.socket, select.POLLIN)
        return bool(poller.poll(0))

    async def ask(self, calls: Sequence[Call | Many], timeout_s: float) -> list[list[SqlRow]]:
        """Run statements in order, in one round trip; return the rows of each `Call`.

        The server gives up soon after the caller: a statement is limited to a few times the
        timeout, which costs a round trip of its own when the timeouts of calls change much.

        The statements are no transaction unless they say so; the first that fails ends them.
        """
        task = asyncio.ensure_future(self._ask_within(calls, timeout_s))
        try:
            done, _ = await asyncio.wait({task}, timeout=max(timeout_s, 0))
        except asyncio.CancelledError:
            await self._abort(task)
            raise
        if not done:
            await self._abort(task)
            raise TimeoutError
        return task.result()

    async def _ask_within(
        self, calls: Sequence[Call | Many], timeout_s: float
    ) -> list[list[SqlRow]]:
        wanted_s = next((s for s in _STATEMENT_TIMEOUTS_S if s >= timeout_s), 0)
        if not wanted_s <= self._limit_s <= wanted_s * _SLACK:
            # By itself, since one that is rolled back with a transaction would not hold.
            await self._ask([Call(f"SET statement_timeout = {wanted_s * 1_000}")])
            self._limit_s = wanted_s
        return await self._ask(calls)

    async def _ask(self, calls: Sequence[Call | Many]) -> list[list[SqlRow]]:
        cursors: list[AsyncRawCursor[Any]] = []
        async with self._connection.pipeline():
            for call in calls:
                cursor = AsyncRawCursor(self._connection)
                if isinstance(call, Call):
                    await cursor.execute(cast("sql.SQL", call.text), call.values or None)
                    cursors.append(cursor)
                elif call.rows:
                    await cursor.executemany(cast("sql.SQL", call.text), call.rows)
        return [
            cast("list[SqlRow]", await cursor.fetchall()) if cursor.description else []
            for cursor in cursors
        ]

    def shut_down(self) -> None:
        """Cut the connection, so that a call on it in another task fails at once."""
        with contextlib.suppress(OSError, DriverError):
            descriptor = os.dup(self._connection.pgconn.socket)
            with socket.socket(fileno=descriptor) as handle:
                handle.shutdown(socket.SHUT_RDWR)

    async def _abort(self, task: asyncio.Future[list[list[SqlRow]]]) -> None:
        """End a call at once, and the connection with it."""
        self.shut_down()
        await asyncio.wait({task}, timeout=_ABORT_S_MAX)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
        await self.close()

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        await self._connection.close()


async def connect(options: Mapping[str, str | int], timeout_s: float) -> Connection:
    """Open a connection with libpq's own options.

    Raises:
        DriverError: It cannot be had.
        TimeoutError: It cannot be had in time.
    """
    connecting = cast("Any", AsyncConnection).connect
    async with asyncio.timeout(timeout_s):
        connection = await connecting("", autocommit=True, **options)
    return Connection(connection)
