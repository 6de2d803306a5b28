"""Which of Taulu's errors each of SQLite's is: one table, most specific first."""

from __future__ import annotations

from pathlib import Path

from taulu.model import (
    ConfigError,
    Contention,
    Corrupt,
    Internal,
    InvalidArgument,
    LimitExceeded,
    StorageFull,
    TauluError,
    Unavailable,
)
from taulu_embedded import _driver

_BUSY_RETRY_S = 0.05
_IO_RETRY_S = 1.0

_Rule = tuple[type[_driver.DriverError], type[TauluError], str, float | None]

_TABLE: tuple[_Rule, ...] = (
    (
        _driver.FullError,
        StorageFull,
        "is full: free disk space, raise file_bytes_max, or delete rows",
        None,
    ),
    (
        _driver.BusyError,
        Contention,
        "is held by another process",
        _BUSY_RETRY_S,
    ),
    (
        _driver.LockedError,
        Contention,
        "is held by another connection",
        _BUSY_RETRY_S,
    ),
    (
        _driver.ProtocolError,
        Contention,
        "could not be locked in turn",
        _BUSY_RETRY_S,
    ),
    (
        _driver.NotADBError,
        Corrupt,
        "is not a database, or its first page is damaged: restore it from a backup",
        None,
    ),
    (
        _driver.CorruptError,
        Corrupt,
        "is damaged: stop the server, run `taulu doctor`, restore from a backup",
        None,
    ),
    (
        _driver.ReadOnlyError,
        Unavailable,
        "cannot be written: check the rights of the file and its folder, and the mount",
        None,
    ),
    (
        _driver.PermissionsError,
        Unavailable,
        "may not be used: check the rights of the file and its folder",
        None,
    ),
    (
        _driver.CantOpenError,
        Unavailable,
        "cannot be opened: check that its folder is there and may be written",
        None,
    ),
    (
        _driver.IOError,
        Unavailable,
        "cannot be read or written: check the disk and the system's log",
        _IO_RETRY_S,
    ),
    (
        _driver.InterruptError,
        Unavailable,
        "is being closed; send the request again",
        _BUSY_RETRY_S,
    ),
    (
        _driver.NoMemError,
        Unavailable,
        "could not be used for want of memory",
        _IO_RETRY_S,
    ),
    (
        _driver.TooBigError,
        LimitExceeded,
        "cannot hold a value this large; send less",
        None,
    ),
    (
        _driver.ConstraintError,
        Internal,
        "refused a row that breaks its format; this is a defect",
        None,
    ),
)


def to_taulu(
    error: _driver.DriverError, path: Path, advice: str = "send the request again"
) -> TauluError:
    """Return the error that callers see for one of SQLite's.

    Args:
        error: The driver's.
        path: The database file.
        advice: What to do about a lock that others hold; it depends on what was going on.
    """
    for driver_type, taulu_type, meaning, retry_after_s in _TABLE:
        if isinstance(error, driver_type):
            to_do = f"; {advice}" if taulu_type is Contention else ""
            return taulu_type(
                f"{path} {meaning}{to_do} (SQLite: {error})",
                details={"file": str(path)},
                retry_after_s=retry_after_s,
            )
    return Internal(f"SQLite refused a statement on {path}: {error}", details={"file": str(path)})


def internal(error: Exception) -> TauluError:
    """Return the error that callers see for an exception that no one expected."""
    if isinstance(error, TauluError):
        return error
    if isinstance(error, (TypeError, AttributeError, UnicodeError)):
        # Values of a type that the table does not declare; the gateway refuses them earlier.
        return InvalidArgument(f"a value is not of its column's type: {error}")
    return Internal(f"{type(error).__name__} in the embedded adapter: {error}")


def not_prepared(table: str, path: Path, error: TauluError) -> Contention:
    """Return the error of a table that could not be described while others wrote."""
    return Contention(
        f"table {table} could not be prepared, for {path} was being written by others all the "
        "time; see which processes have it open",
        details={"file": str(path), "reason": error.message},
    )


def config_error(path: Path, trouble: str) -> ConfigError:
    """Return the refusal of a file, with its name in the details."""
    return ConfigError(f"{path} {trouble}", details={"file": str(path)})
