"""Opening the database file: its version, its format, and how safe a commit is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from taulu.model import ConfigError, Unavailable
from taulu_embedded import statements
from taulu_embedded._driver import Connection, DriverError, NotADBError, sqlite_version
from taulu_embedded.mapping import config_error, to_taulu
from taulu_embedded.settings import Durability, EmbeddedSettings

SQLITE_MIN = (3, 51, 3)
"""Older ones can damage a file in WAL mode when two processes reset the log at once."""

_SETUP_WAIT_MS = 10_000
"""How long opening waits for another process that is making the same file."""
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_AT_START = "see which processes have it open"
_MODES = {Durability.FULL: "FULL", Durability.NORMAL: "NORMAL"}


def check_sqlite(version: str) -> None:
    """Refuse a SQLite library that is not safe for several processes.

    Raises:
        ConfigError: The library is too old.
    """
    if tuple(int(part) for part in version.split(".")) < SQLITE_MIN:
        needed = ".".join(str(part) for part in SQLITE_MIN)
        raise ConfigError(
            f"SQLite {version} can damage a file that several processes write; the embedded "
            f"adapter needs {needed} or later: upgrade the package `apsw`",
            details={"found": version, "needed": needed},
        )


def check_place(path: Path) -> None:
    """Look whether a database file can be at a path; change nothing.

    Raises:
        ConfigError: Its folder cannot be made or written, or the path is a folder itself.
    """
    if path.is_dir():
        raise config_error(path, "is a folder; set `path` to a file in it")
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not nearest.is_dir():
        raise config_error(path, f"cannot be made: {nearest} is no folder; choose another `path`")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise config_error(path, f"needs {nearest}, which may not be written; mend its rights")


def make_folder(path: Path) -> None:
    """Make the folder of the database file.

    Raises:
        ConfigError: It cannot be made, or the path is a folder itself.
    """
    check_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise config_error(path, f"cannot be made: {error}; choose another `path`") from error


def check_made(path: Path) -> None:
    """Look whether the file is still there that another worker of this server has made.

    Raises:
        ConfigError: It is not, or it is empty.
    """
    try:
        if path.stat().st_size:
            return
    except FileNotFoundError:
        pass
    raise config_error(
        path,
        "was deleted, moved away or emptied while the server ran, and an empty store in its place "
        "would hide that; put it back or restore it, and start the server again",
    )


def open_writer(settings: EmbeddedSettings) -> Connection:
    """Open the file for writing; make its format when it is new.

    Raises:
        ConfigError: SQLite is too old, or the file is another program's or a later version's.
        Corrupt: The file is damaged.
        Unavailable: The file cannot be opened.
    """
    check_sqlite(sqlite_version())
    try:
        connection = Connection(settings.path, read_only=False)
    except DriverError as error:
        raise to_taulu(error, settings.path, _AT_START) from error
    try:
        connection.wait_for_locks(_SETUP_WAIT_MS)
        _check_or_make_format(connection, settings.path)
        _configure(connection, settings)
    except NotADBError as error:
        connection.close()
        raise config_error(
            settings.path, f"is not a database (SQLite: {error}); set `path` to another file"
        ) from error
    except DriverError as error:
        connection.close()
        raise to_taulu(error, settings.path, _AT_START) from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> Connection:
    """Open the file, which `open_writer` has made, for reading."""
    try:
        connection = Connection(path, read_only=True)
        connection.wait_for_locks(_SETUP_WAIT_MS)
    except DriverError as error:
        raise to_taulu(error, path, _AT_START) from error
    return connection


def free_bytes(path: Path) -> int:
    """Return how much room the disk of a file has."""
    return shutil.disk_usage(path.parent).free


def check_format(connection: Connection, path: Path) -> bool:
    """Return whether the file has the format; False when it is empty.

    Raises:
        ConfigError: The file is another program's, or was made by another version.
    """
    row = connection.one(statements.COUNT_OBJECTS)
    if row is None or row[0] == 0:
        return False
    if connection.pragma("application_id") != statements.APPLICATION_ID:
        raise config_error(path, "is another program's database; set `path` to another file")
    found = connection.pragma("user_version")
    if found != statements.FORMAT_VERSION:
        raise config_error(
            path,
            f"has format {found}, but this version of Taulu reads format "
            f"{statements.FORMAT_VERSION}; use the version that wrote it, or another file",
        )
    return True


def _check_or_make_format(connection: Connection, path: Path) -> None:
    if check_format(connection, path):
        return
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise Unavailable(
            f"{path} cannot keep a write-ahead log (its journal mode stays {mode!r}); "
            "put it on a local disk",
            details={"file": str(path)},
        )
    connection.execute(statements.BEGIN_EXCLUSIVE)
    try:
        if not check_format(connection, path):
            connection.execute(statements.CREATE_FORMAT)
            connection.pragma("application_id", statements.APPLICATION_ID)
            connection.pragma("user_version", statements.FORMAT_VERSION)
        connection.execute(statements.COMMIT)
    except BaseException:
        if connection.in_transaction():
            connection.execute(statements.ROLLBACK)
        raise


def _configure(connection: Connection, settings: EmbeddedSettings) -> None:
    connection.pragma("synchronous", _MODES[settings.durability])
    connection.pragma("journal_size_limit", _WAL_BYTES_KEPT)
    if settings.file_bytes_max is not None:
        page_bytes = int(connection.pragma("page_size"))
        connection.pragma("max_page_count", settings.file_bytes_max // page_bytes)
    # The writer waits for its turn itself; see turn.py.
    connection.wait_for_locks(0)
