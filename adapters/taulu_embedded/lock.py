"""One server per file: all worker processes of a server share a lock that no other can take.

Two servers on one file would each cache rows that the other changes. The lock is `flock` on
`<path>.lock`, which the kernel lets go of when the last holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from taulu.model import ConfigError

_WAIT_S_MAX = 5.0
"""How long to wait for a server that is ending: its workers may be in the middle of a sync."""
_REST_S = 0.01
_BYTES_MAX = 1_024


def beside(database: Path, ending: str) -> Path:
    """Return a file beside a database: the same one, by whatever link the database is reached."""
    # Unlike `Path.resolve`, it leaves a circle of links to be found out when the file is opened.
    real = Path(os.path.realpath(database))
    return real.with_name(real.name + ending)


class ServerLock:
    """A shared hold on a database file in the name of one server.

    Args:
        database: The database file.
        server_id: The server on whose behalf it is held.
    """

    def __init__(self, database: Path, server_id: str) -> None:
        self._path = beside(database, ".lock")
        self._database = database
        self._server_id = server_id
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or join the workers that hold it for the same server.

        Raises:
            ConfigError: Another server holds it; the message names it and its process.
        """
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        holder = ""
        # A server that is just starting or stopping is told from one that stays by looking
        # again: whoever is alone writes its own name, and everyone checks the name afterwards.
        give_up = time.monotonic() + _WAIT_S_MAX
        while True:
            if self._try(fcntl.LOCK_EX):
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, f"{os.getpid()} {self._server_id}".encode(), 0)
            if self._try(fcntl.LOCK_SH):
                holder = os.pread(self._file, _BYTES_MAX, 0).decode(errors="replace")
                if holder.partition(" ")[2] == self._server_id:
                    return
                fcntl.flock(self._file, fcntl.LOCK_UN)
            if time.monotonic() >= give_up:
                break
            time.sleep(_REST_S)
        self.release()
        pid, _, server_id = holder.partition(" ")
        raise ConfigError(
            f"{self._database} is in use by another server ({server_id or 'unknown'}, started as "
            f"process {pid or 'unknown'}; lock file {self._path}); stop that server, or give "
            "this one a path of its own",
            details={"file": str(self._database), "pid": pid, "server_id": server_id},
        )

    def release(self) -> None:
        """Let go; safe to call twice. The lock file stays, for deleting it would race."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _try(self, kind: int) -> bool:
        if self._file is None:
            return False
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
