"""How a command ends: exit codes, and errors as one line."""

from __future__ import annotations

from collections.abc import Mapping
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
    USAGE = 2
    ABSENT = 3
    TRY_AGAIN = 4
    DEFECT = 5
    UNREAD = 141
    """Shells say 128 and the number of SIGPIPE."""


MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "done",
    Exit.FAILED: "refused, or lost against the present state",
    Exit.USAGE: "wrong usage, file or settings",
    Exit.ABSENT: "no such row or table",
    Exit.TRY_AGAIN: "not reachable, too busy, or the outcome is unknown: try again",
    Exit.DEFECT: "damage, a full disk or a defect: an operator is needed",
    Exit.UNREAD: "whoever read the output went away, as `head` does",
}
"""What each says, for people."""

_CODES: tuple[tuple[type[TauluError], Exit], ...] = (
    (ConfigError, Exit.USAGE),
    (UnknownTable, Exit.ABSENT),
    (CallerError, Exit.FAILED),
    (ConflictError, Exit.FAILED),
    (TransientError, Exit.TRY_AGAIN),
    (UncertainError, Exit.TRY_AGAIN),
    (TauluError, Exit.DEFECT),
)

EPILOG = f"Exit codes: {'; '.join(f'{code.value} {means}' for code, means in MEANINGS.items())}."


def exit_of(error: TauluError) -> Exit:
    """Return the exit code of a command that failed with an error."""
    return next(code for kind, code in _CODES if isinstance(error, kind))
