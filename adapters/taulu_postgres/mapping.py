"""Which of Taulu's errors each SQLSTATE is: one table, most specific first."""

from __future__ import annotations

from taulu.model import (
    ConfigError,
    Contention,
    Corrupt,
    Internal,
    InvalidArgument,
    LimitExceeded,
    Overloaded,
    SchemaConflict,
    StorageFull,
    TauluError,
    Unavailable,
)
from taulu_postgres._driver import DriverError, is_refusal, primary_message, sql_state, trouble_of

_RETRY_S = 0.05
_DOWN_RETRY_S = 1.0

SEND_AGAIN = "; send the request again"
"""What to do about what may pass, where a request was sent."""
AT_START = "; see that it is started where `host` and `port` say"
"""What to do about it where a gateway starts."""

_Rule = tuple[str, type[TauluError], str, float | None]

TABLE: tuple[_Rule, ...] = (
    ("08", Unavailable, "cannot be reached", _DOWN_RETRY_S),
    ("22", InvalidArgument, "does not take one of the values", None),
    ("23505", Contention, "was written by another at the same time", _RETRY_S),
    ("23", Internal, "refused a row that breaks its format; this is a defect", None),
    ("25006", Unavailable, "takes no writes now: it is a standby", _DOWN_RETRY_S),
    ("25P03", Unavailable, "ended a transaction that stood idle", _RETRY_S),
    ("25P04", Unavailable, "ended a transaction that took too long", _RETRY_S),
    ("26", Unavailable, "has forgotten a prepared statement", _RETRY_S),
    ("28", ConfigError, "does not let this user in: check user, password and pg_hba.conf", None),
    ("3D", ConfigError, "has no such database: create it", None),
    ("3F", ConfigError, "has no such schema: let Taulu create it, or restore it", None),
    ("40", Contention, "had too many writers of one row", _RETRY_S),
    ("42501", ConfigError, "does not give this user the right to do that: grant it", None),
    ("42P01", SchemaConflict, "has lost a table: prepare it again, or restore it", None),
    ("42703", SchemaConflict, "has lost a column: prepare the table again, or restore it", None),
    ("42", Internal, "refused a statement; this is a defect", None),
    ("53100", StorageFull, "has no room on its disk: free some, or delete rows", None),
    ("53300", Overloaded, "has no connection left: raise max_connections", _DOWN_RETRY_S),
    ("53", Unavailable, "is short of memory or of another resource", _DOWN_RETRY_S),
    ("54", LimitExceeded, "cannot hold a value this large; send less", None),
    ("55P03", Contention, "could not lock a row in time", _RETRY_S),
    ("57014", Unavailable, "ended a statement that took too long", _RETRY_S),
    ("57P", Unavailable, "is starting or stopping", _DOWN_RETRY_S),
    ("58", Unavailable, "cannot read or write its files: check its log", _DOWN_RETRY_S),
    ("XX001", Corrupt, "has a damaged table: check its log, restore it from a backup", None),
    ("XX002", Corrupt, "has a damaged index: check its log, and REINDEX", None),
)
"""SQLSTATE or its beginning, error, meaning, and how soon trying again may help, if at all."""

_CONFLICTS = ("40001", "40P01", "23505", "55P03")
_LOST = ("08", "57P", "25P03", "25P04", "25006", "26")
_UNCERTAIN = ("08", "57P", "40003")
_DATA = ("22", "23", "54")


def to_taulu(error: DriverError, place: str, advice: str = SEND_AGAIN) -> TauluError:
    """Return the error that callers see for one of the driver's.

    Only the server's primary message is passed on: details may hold the data of rows, and
    messages of the driver itself parts of the connection string.

    Args:
        error: The driver's.
        place: What errors call the database.
        advice: What to do about trouble that may pass, to follow its meaning; it depends on what
            was going on.
    """
    state = sql_state(error)
    details = {"database": place}
    if is_refusal(error):
        return ConfigError(
            f"{place} does not let this user in, or is not there: check user, password, database "
            "and pg_hba.conf",
            details=details,
        )
    if state is None:
        trouble = trouble_of(error)
        why = f": {trouble}" if trouble else ""
        return Unavailable(
            f"the connection to {place} was lost or could not be made{why}{advice}",
            details=details,
            retry_after_s=_DOWN_RETRY_S,
        )
    details["sqlstate"] = state
    for begin, taulu_type, meaning, retry_after_s in TABLE:
        if state.startswith(begin):
            to_do = "" if retry_after_s is None else advice
            return taulu_type(
                f"{place} {meaning}{to_do} (SQLSTATE {state}: {primary_message(error)})",
                details=details,
                retry_after_s=retry_after_s,
            )
    return Internal(
        f"{place} refused a statement (SQLSTATE {state}: {primary_message(error)})",
        details=details,
    )


def is_conflict(error: DriverError) -> bool:
    """Return whether the same transaction may succeed when it is run again at once.

    A unique violation is one: rows are locked before they are written, so it can only be an
    idempotency token that another partition took at the same moment.
    """
    return (sql_state(error) or "").startswith(_CONFLICTS)


def is_lost(error: DriverError) -> bool:
    """Return whether the connection, not the statement, was at fault."""
    if is_refusal(error):
        return False
    state = sql_state(error)
    return state is None or state.startswith(_LOST)


def may_have_committed(error: DriverError) -> bool:
    """Return whether a transaction whose COMMIT was sent may be durable all the same."""
    state = sql_state(error)
    return state is None or state.startswith(_UNCERTAIN)


def is_about_data(error: DriverError) -> bool:
    """Return whether one value may be at fault, so that other items of the batch can succeed."""
    return (sql_state(error) or "").startswith(_DATA) and not is_conflict(error)


def refusal_of(error: Exception) -> TauluError:
    """Return the error of one item whose values cannot be sent."""
    if isinstance(error, TauluError):
        return error
    if isinstance(error, TypeError | ValueError | AttributeError | ArithmeticError):
        # Values of a type that the table does not declare; the gateway refuses them earlier.
        return InvalidArgument(f"a value is not of its column's type: {error}")
    return Internal(f"{type(error).__name__} in the PostgreSQL adapter: {error}")
