"""The folder in which the workers of one server have their sockets. It goes with the server.

A server that is killed leaves its folder behind, and the next server of the same user removes
it. Whether a server lives is told by the lock on a file in its folder, which the kernel lets go
of when the last process of the server ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "taulu-"
_LOCK = "server.lock"
_UNLOCKED = "server.lock.new"


@contextmanager
def run_folder() -> Generator[str]:
    """Make a folder for this server, and remove it at the end; first remove what others left.

    On Linux a socket's path has 107 characters at most: the system's own folder is short.
    """
    _remove_left(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    unlocked = folder / _UNLOCKED
    lock = os.open(unlocked, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        # Whoever sees the lock file by its name finds it locked.
        unlocked.rename(folder / _LOCK)
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def joined(folder: str) -> Generator[None]:
    """Keep a folder from being removed while a worker, which may outlive its supervisor, drains.

    Raises:
        OSError: The folder is gone, or is being removed: the supervisor was killed.
    """
    lock = os.open(Path(folder, _LOCK), os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _remove_left(parent: Path) -> None:
    """Remove this user's folders that no process of a server holds."""
    for folder in parent.glob(f"{_PREFIX}*"):
        # One that is held, has no lock file, or goes away by itself is left alone.
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                _remove_if_free(folder)


def _remove_if_free(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
