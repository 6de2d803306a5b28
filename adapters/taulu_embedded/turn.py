"""A fair turn at writing, for several worker processes on one file.

SQLite's own wait for the write lock is a lottery: a busy process that commits back to back
keeps another waiting for long. So whoever wants to write first takes the turn, a `flock` on
`<path>.turn`, keeps it until SQLite has given the write lock, and then lets the next process
queue up while it writes. Nobody can write twice while another holds the turn.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from taulu.model import Contention
from taulu_embedded.lock import beside

POLL_S = 0.001
"""How long to rest between two looks at a lock that another process holds."""

_RETRY_AFTER_S = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a turn, and with which clock."""

    wait_s_max: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


class Turn:
    """The turn at writing to one database file. Each connection that writes has its own."""

    def __init__(self, database: Path, patience: Patience) -> None:
        self._database = database
        self._patience = patience
        self._file = os.open(beside(database, ".turn"), os.O_RDWR | os.O_CREAT, 0o644)

    @contextmanager
    def taken(self) -> Generator[Callable[[Callable[[], bool]], None]]:
        """Hold the turn; yields a way to wait, within the same patience, for something else.

        Raises:
            Contention: The patience is at its end; nothing was changed.
        """
        end = self._patience.monotonic() + self._patience.wait_s_max

        def wait_for(attempt: Callable[[], bool]) -> None:
            while not attempt():
                if self._patience.monotonic() >= end:
                    raise Contention(
                        f"{self._database} was being written by other processes for "
                        f"{self._patience.wait_s_max:g} s, so nothing was written; send the "
                        "request again",
                        details={"file": str(self._database)},
                        retry_after_s=_RETRY_AFTER_S,
                    )
                self._patience.sleep(POLL_S)

        wait_for(self._try_lock)
        try:
            yield wait_for
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
