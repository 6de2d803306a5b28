from __future__ import annotations

import pytest

from taulu.model import (
    ConfigError,
    LimitExceeded,
    Overloaded,
    TauluError,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_kafka._driver import DriverError
from taulu_kafka.mapping import to_taulu, to_taulu_after_send


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("_MSG_TIMED_OUT", WriteOutcomeUnknown),
        ("_PURGE_INFLIGHT", WriteOutcomeUnknown),
        ("_PURGE_QUEUE", WriteOutcomeUnknown),
        ("_FATAL", WriteOutcomeUnknown),
        ("_TRANSPORT", WriteOutcomeUnknown),
        ("REQUEST_TIMED_OUT", WriteOutcomeUnknown),
        ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", WriteOutcomeUnknown),
        ("KAFKA_STORAGE_ERROR", WriteOutcomeUnknown),
        ("OUT_OF_ORDER_SEQUENCE_NUMBER", WriteOutcomeUnknown),
        ("SOMETHING_NEW", WriteOutcomeUnknown),
        ("_QUEUE_FULL", Overloaded),
        ("NOT_ENOUGH_REPLICAS", Unavailable),
        ("INVALID_TIMESTAMP", Unavailable),
        ("MSG_SIZE_TOO_LARGE", LimitExceeded),
        ("TOPIC_AUTHORIZATION_FAILED", ConfigError),
    ],
)
def test_only_what_was_surely_not_written_is_told_as_such(
    name: str, kind: type[TauluError]
) -> None:
    error = to_taulu_after_send(DriverError(name, "why"), "topic t")
    assert type(error) is kind
    assert error.details == {"kafka": name}
    assert "why" in error.message


def test_nothing_is_sure_of_what_ended_the_producer() -> None:
    error = DriverError("TOPIC_AUTHORIZATION_FAILED", "why", is_fatal=True)
    assert type(to_taulu_after_send(error, "topic t")) is WriteOutcomeUnknown


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("_QUEUE_FULL", Overloaded),
        ("_FATAL", Unavailable),
        ("_TRANSPORT", Unavailable),
        ("_TIMED_OUT", Unavailable),
        ("UNKNOWN_TOPIC_OR_PART", Unavailable),
        ("SOMETHING_NEW", Unavailable),
        ("SASL_AUTHENTICATION_FAILED", ConfigError),
        ("INVALID_REPLICATION_FACTOR", Unavailable),
    ],
)
def test_what_fails_without_a_write_is_no_unknown_outcome(
    name: str, kind: type[TauluError]
) -> None:
    assert type(to_taulu(DriverError(name, "why"), "the cluster")) is kind
