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
    "parse_dsn",
    "primary_message",
    "sql_state",
]

SqlRow: TypeAlias = tuple[Any, ...]
"""One result row; what its fields are is known where its statement is."""

_STATEMENT_TIMEOUTS_S = (1, 2, 5, 10, 30, 60, 300, 3_600)
"""The server's limit is the first of these above the caller's, so that it changes seldom."""
_ABORT_S_MAX = 1.0


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
        self._limit_s: int | None = None
        self.was_aborted = False
        """Whether it was given up because a deadline passed."""

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

        The statements are no transaction unless they say so; the first that fails ends them.
        """
        limit_s = next((s for s in _STATEMENT_TIMEOUTS_S if s >= timeout_s), 0)
        if limit_s != self._limit_s:
            calls = (Call(f"SET statement_timeout = {limit_s * 1_000}"), *calls)
        # Unknown until the answer has come: a transaction that is rolled back takes it along.
        before, self._limit_s = self._limit_s, None
        task = asyncio.ensure_future(self._ask(calls))
        try:
            done, _ = await asyncio.wait({task}, timeout=max(timeout_s, 0))
        except asyncio.CancelledError:
            await self._abort(task)
            raise
        if not done:
            await self._abort(task)
            raise TimeoutError
        answers = task.result()
        self._limit_s = limit_s
        return answers if limit_s == before else answers[1:]

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

    async def _abort(self, task: asyncio.Future[list[list[SqlRow]]]) -> None:
        """End a call at once by shutting the socket down."""
        self.was_aborted = True
        with contextlib.suppress(OSError, DriverError):
            descriptor = os.dup(self._connection.pgconn.socket)
            with socket.socket(fileno=descriptor) as handle:
                handle.shutdown(socket.SHUT_RDWR)
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
