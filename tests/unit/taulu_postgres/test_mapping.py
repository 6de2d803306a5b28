from __future__ import annotations

import pytest
from psycopg import OperationalError, errors

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
from taulu_postgres.mapping import (
    AT_START,
    TABLE,
    is_about_data,
    is_conflict,
    is_lost,
    may_have_committed,
    refusal_of,
    to_taulu,
)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", Unavailable),
        ("22003", InvalidArgument),
        ("23505", Contention),
        ("23502", Internal),
        ("25006", Unavailable),
        ("25P03", Unavailable),
        ("25P04", Unavailable),
        ("28P01", ConfigError),
        ("3D000", ConfigError),
        ("40001", Contention),
        ("40P01", Contention),
        ("42501", ConfigError),
        ("42P01", SchemaConflict),
        ("42601", Internal),
        ("53100", StorageFull),
        ("53200", Unavailable),
        ("53300", Overloaded),
        ("54000", LimitExceeded),
        ("57014", Unavailable),
        ("57P01", Unavailable),
        ("XX001", Corrupt),
        ("XX000", Internal),
    ],
)
def test_each_sqlstate_is_its_error(state: str, expected: type[TauluError]) -> None:
    error = to_taulu(errors.lookup(state)("the driver's words"), "database 'x' at db:1")
    assert type(error) is expected
    assert error.details == {"database": "database 'x' at db:1", "sqlstate": state}
    assert "the driver's words" not in error.message


@pytest.mark.parametrize("state", ["08006", "40001", "57014", "57P03"])
def test_the_advice_on_what_may_pass_fits_what_was_going_on(state: str) -> None:
    error = errors.lookup(state)("x")
    assert "; send the request again (SQLSTATE" in to_taulu(error, "db").message
    at_start = to_taulu(error, "db", AT_START).message
    assert "see that it is started" in at_start
    assert "send" not in at_start
    assert "send" not in to_taulu(error, "db", advice="").message
    lasting = errors.lookup("42501")("x")
    assert to_taulu(lasting, "db", AT_START).message == to_taulu(lasting, "db").message


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("FATAL:  the database system is starting up", ": it is starting or stopping;"),
        ("FATAL:  sorry, too many clients already", ": it has no connection left,"),
        ("session is read-only", ": it is a standby;"),
        ("server closed the connection unexpectedly", " could not be made;"),
    ],
)
def test_why_there_is_no_connection_is_told_in_our_own_words(said: str, why: str) -> None:
    error = OperationalError(f'connection to server at "10.0.0.1", user=me failed: {said}')
    told = to_taulu(error, "db", AT_START)
    assert isinstance(told, Unavailable)
    assert why in told.message
    assert "10.0.0.1" not in told.message


def test_every_rule_can_be_reached() -> None:
    seen: list[str] = []
    for begin, *_ in TABLE:
        assert not any(begin.startswith(earlier) for earlier in seen), begin
        seen.append(begin)


def test_what_has_no_sqlstate_is_a_lost_connection_and_its_words_stay_here() -> None:
    error = OperationalError("connection failed: password=hunter2")
    assert type(to_taulu(error, "db")) is Unavailable
    assert "hunter2" not in repr(to_taulu(error, "db"))
    assert is_lost(error)
    assert may_have_committed(error)
    refused = OperationalError('FATAL:  password authentication failed for user "x"')
    assert type(to_taulu(refused, "db")) is ConfigError
    assert not is_lost(refused)


@pytest.mark.parametrize(
    ("state", "conflict", "lost", "uncertain", "data"),
    [
        ("40001", True, False, False, False),
        ("40P01", True, False, False, False),
        ("40003", False, False, True, False),
        ("23505", True, False, False, False),
        ("57P01", False, True, True, False),
        ("08006", False, True, True, False),
        ("25P03", False, True, False, False),
        ("25P04", False, True, False, False),
        ("22003", False, False, False, True),
        ("54000", False, False, False, True),
        ("53100", False, False, False, False),
    ],
)
def test_what_can_be_tried_again(
    state: str, conflict: bool, lost: bool, uncertain: bool, data: bool
) -> None:
    error = errors.lookup(state)("x") if state != "40003" else _unknown_completion()
    assert (is_conflict(error), is_lost(error)) == (conflict, lost)
    assert (may_have_committed(error), is_about_data(error)) == (uncertain, data)


def _unknown_completion() -> OperationalError:
    return errors.StatementCompletionUnknown("x")


def test_a_value_that_cannot_be_sent_is_the_callers() -> None:
    assert isinstance(refusal_of(ValueError("x")), InvalidArgument)
    assert isinstance(refusal_of(RuntimeError("x")), Internal)
    own = Unavailable("x")
    assert refusal_of(own) is own
