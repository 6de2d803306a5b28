"""Which of Taulu's errors each of the driver's is: one table, most specific first."""

from __future__ import annotations

import re

from taulu.model import (
    ConfigError,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    LimitExceeded,
    Overloaded,
    TauluError,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_cassandra import _driver

_RETRY_S = 0.5

DRIVER_ERRORS: tuple[type[Exception], ...] = (
    _driver.DriverException,
    _driver.NoHostAvailable,
    _driver.ConnectionException,
    _driver.ErrorMessage,
)
"""Everything that the driver raises; its classes share no root."""

_Rule = tuple[type[Exception], type[TauluError], str]

_READS: tuple[_Rule, ...] = (
    (
        _driver.NotEnoughReplicas,
        Unavailable,
        "too few replicas are up for the consistency level; bring nodes back, or ask for less",
    ),
    (_driver.ReadTimeout, DeadlineExceeded, "replicas did not answer in time"),
    (_driver.WriteTimeout, DeadlineExceeded, "replicas did not agree in time"),
    (_driver.CoordinationFailure, Unavailable, "replicas failed; look into their logs"),
    (_driver.OperationTimedOut, DeadlineExceeded, "a node did not answer in time"),
    (_driver.NoHostAvailable, Unavailable, "no node of the local data centre can be reached"),
    (_driver.ConnectionException, Unavailable, "the connection to a node was lost"),
    (_driver.Unauthorized, ConfigError, "the user may not do this; grant it the right"),
    (_driver.InvalidRequest, Internal, "a statement was refused; this is a defect"),
    (_driver.ErrorMessage, Unavailable, "a node refused to work; look into its log"),
    (_driver.DriverException, Unavailable, "the request failed; look into the nodes' logs"),
)

_UNANSWERED = (
    _driver.ReadTimeout,
    _driver.WriteTimeout,
    _driver.OperationTimedOut,
    _driver.ConnectionException,
)
"""Errors after which nothing but trying again is to be done."""

_NOTHING_HAPPENED: tuple[_Rule, ...] = (
    (
        _driver.NotEnoughReplicas,
        Unavailable,
        (
            "too few replicas are up for the consistency level, and nothing was written; bring "
            "nodes back, or write at a lower level"
        ),
    ),
    (
        _driver.NoHostAvailable,
        Unavailable,
        "no node of the local data centre can be reached, and nothing was written",
    ),
    (_driver.Unauthorized, ConfigError, "the user may not do this; grant it the right"),
    (_driver.InvalidRequest, Internal, "a statement was refused; this is a defect"),
)
"""Errors of a write that came before it was sent to any replica."""

_TOO_LARGE = re.compile(r"cql message of size|oversized mutation|batch too large")
_NOT_HEARD = re.compile(r"unconfigured table|\b(table|keyspace) \S+ does not exist")
_SHEDDING = 0x1001
"""The protocol's code of a node that sheds load before any work."""


def read_error(error: Exception, table: str, advice: str = "send again") -> TauluError:
    """Return what callers see of an error of a read.

    Args:
        error: The driver's.
        table: What was read.
        advice: What to do when no answer came; it depends on what was going on.
    """
    found = _not_heard(error, table) or _find(error, table, _READS, advice)
    return found or _internal(error, table)


def certain_write_error(error: Exception, table: str) -> TauluError | None:
    """Return what callers see of a write that surely did not happen; None when it may have."""
    text = str(error).lower()
    not_heard = _not_heard(error, table)
    if not_heard is not None:
        return not_heard
    if isinstance(error, _driver.InvalidRequest) and _TOO_LARGE.search(text):
        return LimitExceeded(
            f"a write to {table} is larger than the cluster takes (max_mutation_size, "
            "native_transport_max_message_size); send less in one unit",
            details={"limit": "max_mutation_size", "table": table},
        )
    if isinstance(error, _driver.ErrorMessage) and getattr(error, "code", 0) == _SHEDDING:
        return Overloaded(
            f"a node sheds load, and nothing was written to {table}; send again later",
            details={"table": table},
            retry_after_s=_RETRY_S,
        )
    if not isinstance(error, DRIVER_ERRORS):
        return _internal(error, table)
    return _find(error, table, _NOTHING_HAPPENED)


def certain_step_error(error: Exception, table: str) -> TauluError | None:
    """Return the same of a conditional batch, whose commit may fail after it was decided."""
    if isinstance(error, _driver.NotEnoughReplicas) and not _driver.is_before_consensus(error):
        return None
    return certain_write_error(error, table)


def write_error(error: Exception, table: str) -> TauluError:
    """Return what callers see of an error of a write."""
    return certain_write_error(error, table) or outcome_unknown(table, str(error))


def outcome_unknown(table: str, reason: str) -> WriteOutcomeUnknown:
    """Return the error of a write that may have happened."""
    return WriteOutcomeUnknown(
        f"a write to {table} may or may not have happened ({reason}); send it again with its token",
        details={"table": table},
    )


def _not_heard(error: Exception, table: str) -> Unavailable | None:
    """Return what callers see when a node does not know the table; it did nothing then."""
    if not isinstance(error, _driver.InvalidRequest) or not _NOT_HEARD.search(str(error).lower()):
        return None
    return Unavailable(
        f"a node of Cassandra does not know table {table}, and did nothing: it has not heard of it "
        "yet, or the table was dropped; look at `nodetool describecluster`",
        details={"table": table},
        retry_after_s=_RETRY_S,
    )


def _find(
    error: Exception, table: str, rules: tuple[_Rule, ...], advice: str = ""
) -> TauluError | None:
    to_do = f"; {advice}" if isinstance(error, _UNANSWERED) else ""
    for kind, taulu_kind, meaning in rules:
        if isinstance(error, kind):
            # What the driver says of a lost host holds whole object dumps; its type is enough.
            reason = type(error).__name__
            wait_s = _RETRY_S if taulu_kind in (Unavailable, DeadlineExceeded) else None
            return taulu_kind(
                f"table {table}: {meaning}{to_do} (Cassandra: {reason})",
                details={"table": table},
                retry_after_s=wait_s,
            )
    return None


def _internal(error: Exception, table: str) -> TauluError:
    if isinstance(error, TauluError):
        return error
    if isinstance(error, (TypeError, AttributeError, ValueError, OverflowError)):
        # Values of a type that the table does not declare; the gateway refuses them earlier.
        return InvalidArgument(f"a value for {table} is not of its column's type: {error}")
    return Internal(f"{type(error).__name__} in the Cassandra adapter for {table}: {error}")
