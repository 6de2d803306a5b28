"""Every error that Taulu raises, in five groups by what the caller should do.

TauluError
├── CallerError            wrong as sent: change the request
│   ├── InvalidArgument    INVALID_ARGUMENT
│   ├── UnknownTable       UNKNOWN_TABLE
│   ├── Unsupported        UNSUPPORTED
│   ├── LimitExceeded      LIMIT_EXCEEDED
│   ├── InvalidPageToken   INVALID_PAGE_TOKEN
│   ├── InvalidToken       INVALID_TOKEN
│   ├── TokenReused        TOKEN_REUSED
│   └── OffsetOutOfRange   OFFSET_OUT_OF_RANGE
├── ConflictError          lost against the present state: read again, then decide
│   ├── ConditionFailed    CONDITION_FAILED
│   ├── BoundExceeded      BOUND_EXCEEDED
│   ├── HoldNotFound       HOLD_NOT_FOUND
│   └── HoldExists         HOLD_EXISTS
├── TransientError         nothing happened, later it may: send again after the hint
│   ├── Unavailable        UNAVAILABLE
│   ├── DeadlineExceeded   DEADLINE_EXCEEDED
│   ├── Overloaded         OVERLOADED
│   └── Contention         CONTENTION
├── UncertainError         it may have happened: send again with the same token
│   └── WriteOutcomeUnknown  WRITE_OUTCOME_UNKNOWN
└── FatalError             will not mend itself: an operator is needed
    ├── Internal           INTERNAL
    ├── Corrupt            CORRUPT
    ├── StorageFull        STORAGE_FULL
    ├── SchemaConflict     SCHEMA_CONFLICT
    └── ConfigError        CONFIG_ERROR
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar


class Group(Enum):
    """What the caller should do about an error."""

    CALLER = "caller"
    CONFLICT = "conflict"
    TRANSIENT = "transient"
    UNCERTAIN = "uncertain"
    FATAL = "fatal"


class TauluError(Exception):
    """The root of all errors that Taulu raises.

    Args:
        message: What happened, to what, and what to do, in one or two sentences.
        details: The facts of the message by name, for programs.
        retry_after_s: How long to wait before sending again, in seconds.
    """

    code: ClassVar[str] = "TAULU_ERROR"
    group: ClassVar[Group] = Group.FATAL

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, str] = dict(details or {})
        self.retry_after_s = retry_after_s


class CallerError(TauluError):
    """The request is wrong as sent; sending it again will not help."""

    group = Group.CALLER


class InvalidArgument(CallerError):
    """A value is missing, of the wrong type, or out of range."""

    code = "INVALID_ARGUMENT"


class UnknownTable(CallerError):
    """The gateway serves no table of this name."""

    code = "UNKNOWN_TABLE"


class Unsupported(CallerError):
    """The table, or the adapter behind it, does not have the capability asked for."""

    code = "UNSUPPORTED"


class LimitExceeded(CallerError):
    """A named limit was passed; `details` has its name, value and what was sent."""

    code = "LIMIT_EXCEEDED"


class InvalidPageToken(CallerError):
    """The page token is damaged, or belongs to another query."""

    code = "INVALID_PAGE_TOKEN"


class InvalidToken(CallerError):
    """The idempotency or session token is missing, malformed, or outside its window."""

    code = "INVALID_TOKEN"


class TokenReused(CallerError):
    """The idempotency token has already named a different effect."""

    code = "TOKEN_REUSED"


class OffsetOutOfRange(CallerError):
    """The offset has been purged or does not exist yet; `details` has the range kept."""

    code = "OFFSET_OUT_OF_RANGE"


class ConflictError(TauluError):
    """The request lost against the present state, and nothing was changed."""

    group = Group.CONFLICT


class ConditionFailed(ConflictError):
    """A condition of a write did not hold; `details` has its index and the row's version."""

    code = "CONDITION_FAILED"


class BoundExceeded(ConflictError):
    """The counter, its holds included, would leave its bounds."""

    code = "BOUND_EXCEEDED"


class HoldNotFound(ConflictError):
    """No active hold has this id: it expired, was settled, or never was."""

    code = "HOLD_NOT_FOUND"


class HoldExists(ConflictError):
    """An active hold of the counter already has this id."""

    code = "HOLD_EXISTS"


class TransientError(TauluError):
    """Nothing was changed, and the same request may succeed later."""

    group = Group.TRANSIENT


class Unavailable(TransientError):
    """The gateway or the store behind it cannot be reached."""

    code = "UNAVAILABLE"


class DeadlineExceeded(TransientError):
    """The caller's time was over before a read had ended, or before a write had begun."""

    code = "DEADLINE_EXCEEDED"


class Overloaded(TransientError):
    """A queue is full, so the request was refused before any work on it."""

    code = "OVERLOADED"


class Contention(TransientError):
    """Too many writers met on one row or partition; nothing was changed."""

    code = "CONTENTION"


class UncertainError(TauluError):
    """The effect may or may not have happened."""

    group = Group.UNCERTAIN


class WriteOutcomeUnknown(UncertainError):
    """A write's fate is unknown; sending it again with its token settles it."""

    code = "WRITE_OUTCOME_UNKNOWN"


class FatalError(TauluError):
    """An operator is needed."""

    group = Group.FATAL


class Internal(FatalError):
    """A defect in Taulu; the log has the request id."""

    code = "INTERNAL"


class Corrupt(FatalError):
    """Stored bytes cannot be read back as what they should be."""

    code = "CORRUPT"


class StorageFull(FatalError):
    """The store has no room; nothing was written, and reads still work."""

    code = "STORAGE_FULL"


class SchemaConflict(FatalError):
    """The table as described does not fit the table as stored."""

    code = "SCHEMA_CONFLICT"


class ConfigError(FatalError):
    """Settings or table files are wrong; the message has the place and the mend."""

    code = "CONFIG_ERROR"


def _leaves(root: type[TauluError]) -> list[type[TauluError]]:
    children = root.__subclasses__()
    return [leaf for child in children for leaf in _leaves(child)] if children else [root]


ERRORS_BY_CODE: Mapping[str, type[TauluError]] = {leaf.code: leaf for leaf in _leaves(TauluError)}
"""Every concrete error class by its stable code."""
