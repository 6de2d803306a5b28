"""SQLite connections as this adapter uses them: the only file that touches `apsw`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import apsw
from apsw import (
    BusyError,
    CantOpenError,
    ConstraintError,
    CorruptError,
    FullError,
    InterruptError,
    IOError,  # noqa: A004 - it is the driver's name, re-exported for the table of errors
    LockedError,
    NoMemError,
    NotADBError,
    PermissionsError,
    ProtocolError,
    ReadOnlyError,
    TooBigError,
)
from apsw import Error as DriverError

__all__ = [
    "BusyError",
    "CantOpenError",
    "Connection",
    "ConstraintError",
    "CorruptError",
    "DriverError",
    "FullError",
    "IOError",
    "InterruptError",
    "LockedError",
    "NoMemError",
    "NotADBError",
    "PermissionsError",
    "ProtocolError",
    "ReadOnlyError",
    "SqlRow",
    "SqlValue",
    "TooBigError",
    "sqlite_version",
]

SqlValue: TypeAlias = int | float | str | bytes | None
SqlRow: TypeAlias = tuple[Any, ...]
"""One result row; what its fields are is known where its statement is."""


def sqlite_version() -> str:
    """Return the version of the SQLite library in use, for instance `3.51.3`."""
    return apsw.sqlite_lib_version()


class Connection:
    """One connection to one database file. Not for two threads at the same time.

    Statements are compiled once and kept by their text, so the same constant text costs a
    look-up. Every method raises `DriverError`.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        flags = (
            apsw.SQLITE_OPEN_READONLY
            if read_only
            else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        )
        # Its stubs name a type that Python 3.11 lacks, so that nothing of it could be checked.
        self._connection: Any = apsw.Connection(str(path), flags=flags)

    def execute(self, sql: str, *values: SqlValue) -> None:
        """Run a statement that returns nothing, to its end."""
        self._connection.execute(sql, values or None)

    def one(self, sql: str, *values: SqlValue) -> SqlRow | None:
        """Return the first row; the statement is ended, so that it holds no snapshot."""
        cursor = self._connection.execute(sql, values or None)
        row = cast("SqlRow | None", cursor.fetchone())
        cursor.close()
        return row

    def all(self, sql: str, *values: SqlValue) -> list[SqlRow]:
        """Return every row; the statement itself must limit how many."""
        return cast("list[SqlRow]", self._connection.execute(sql, values or None).fetchall())

    def stream(self, sql: str, *values: SqlValue) -> Generator[SqlRow]:
        """Yield rows as they are read; close the iterator to end the statement early."""
        cursor = self._connection.execute(sql, values or None)
        try:
            yield from cast("Iterator[SqlRow]", cursor)
        finally:
            cursor.close()

    def pragma(self, name: str, value: SqlValue = None) -> Any:  # noqa: ANN401 - it depends on `name`
        """Set a pragma, or read it when no value is given; return the one value of its answer."""
        if value is None:
            return self._connection.pragma(name)
        return self._connection.pragma(name, value)

    def changes(self) -> int:
        """Return how many rows the last INSERT, UPDATE or DELETE changed."""
        return self._connection.changes()

    def in_transaction(self) -> bool:
        """Return whether a transaction is open; some errors end one by themselves."""
        return self._connection.in_transaction

    def wait_for_locks(self, timeout_ms: int) -> None:
        """Let statements wait this long for another connection's lock."""
        self._connection.set_busy_timeout(timeout_ms)

    def truncate_wal(self) -> None:
        """Copy the write-ahead log into the database and cut it to nothing."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._connection.close()
