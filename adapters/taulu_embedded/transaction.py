"""The write transaction that one group commit runs in, and what its items share."""

from __future__ import annotations

from taulu.model import Corrupt
from taulu_embedded import statements
from taulu_embedded._driver import Connection


class Transaction:
    """One open write transaction: the connection, the time, and the versions it gives out.

    Versions are hybrid logical time (Kulkarni et al., 2014): the wall clock, or one more than
    the highest version in the file when the wall clock is not ahead of it. The highest one is
    stored in the same transaction, so versions never step back, over restarts too.
    """

    def __init__(self, connection: Connection, now_us: int) -> None:
        self.connection = connection
        self.now_us = now_us
        """Wall time when the transaction began: what has expired, and when records were made."""
        row = connection.one(statements.LAST_VERSION)
        if row is None:
            raise Corrupt(
                "the database has lost its clock row, so no version can be given out; "
                "restore it from a backup"
            )
        self._stored_version: int = row[0]
        self._last_version: int = row[0]

    def next_version(self) -> int:
        """Return a version above all others; one whose item is undone is not given out again."""
        self._last_version = max(self.now_us, self._last_version + 1)
        return self._last_version

    def store_clock(self) -> None:
        """Keep the highest version; to be called once, before the commit."""
        if self._last_version != self._stored_version:
            self.connection.execute(statements.SET_LAST_VERSION, self._last_version)
