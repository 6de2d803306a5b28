"""How a command ends: exit codes, and errors as one line."""

from __future__ import annotations

from enum import IntEnum

from taulu.model.errors import (
    CallerError,
    ConfigError,
    ConflictError,
    TauluError,
    TransientError,
    UncertainError,
    UnknownTable,
)


class Exit(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    FAILED = 1
    """The request was refused, or lost against the present state."""
    USAGE = 2
    """The command line, a file or the settings are wrong."""
    ABSENT = 3
    """No such row or table."""
    TRY_AGAIN = 4
    """The gateway cannot be reached or is too busy, or a write's fate is unknown."""
    DEFECT = 5
    """An operator is needed: damage, a full disk, or a defect."""
    UNREAD = 141
    """Whoever read the output went away, as `head` does; shells say 128 and SIGPIPE of it."""


_CODES: tuple[tuple[type[TauluError], Exit], ...] = (
    (ConfigError, Exit.USAGE),
    (UnknownTable, Exit.ABSENT),
    (CallerError, Exit.FAILED),
    (ConflictError, Exit.FAILED),
    (TransientError, Exit.TRY_AGAIN),
    (UncertainError, Exit.TRY_AGAIN),
    (TauluError, Exit.DEFECT),
)

EPILOG = (
    "Exit codes: 0 done, 1 refused or a condition failed, 2 wrong usage, file or settings, "
    "3 no such row or table, 4 not reachable or the outcome is unknown: send it again, "
    "5 damage or a defect, 141 whoever read the output went away."
)


def exit_of(error: TauluError) -> Exit:
    """Return the exit code of a command that failed with an error."""
    return next(code for kind, code in _CODES if isinstance(error, kind))
