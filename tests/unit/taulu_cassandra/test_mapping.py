from __future__ import annotations

from typing import Any

import pytest
from cassandra import (
    ConsistencyLevel,
    InvalidRequest,
    OperationTimedOut,
    ReadFailure,
    ReadTimeout,
    Unauthorized,
    WriteFailure,
    WriteTimeout,
)
from cassandra import Unavailable as NotEnoughReplicas
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown
from cassandra.protocol import OverloadedErrorMessage

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
from taulu_cassandra.mapping import certain_step_error, read_error, write_error

TOO_LARGE = InvalidRequest("Error from server: code=2200 [Invalid query] Batch too large")
NOT_HEARD = InvalidRequest('Error from server: code=2200 message="table b does not exist"')
SHEDDING = OverloadedErrorMessage(0x1001, "overloaded", {})


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (NotEnoughReplicas("no"), Unavailable, Unavailable),
        (NoHostAvailable("no", {}), Unavailable, Unavailable),
        (ReadTimeout("slow"), DeadlineExceeded, WriteOutcomeUnknown),
        (WriteTimeout("slow", write_type=0), DeadlineExceeded, WriteOutcomeUnknown),
        (OperationTimedOut(), DeadlineExceeded, WriteOutcomeUnknown),
        (ConnectionShutdown("gone"), Unavailable, WriteOutcomeUnknown),
        (ReadFailure("broken"), Unavailable, WriteOutcomeUnknown),
        (WriteFailure("broken"), Unavailable, WriteOutcomeUnknown),
        (Unauthorized("no"), ConfigError, ConfigError),
        (InvalidRequest("what?"), Internal, Internal),
        (NOT_HEARD, Unavailable, Unavailable),
        (TOO_LARGE, Internal, LimitExceeded),
        (SHEDDING, Unavailable, Overloaded),
        (TypeError("no int"), InvalidArgument, InvalidArgument),
    ],
)
def test_each_error_of_the_driver_is_one_of_ours(
    error: Any, read: type[TauluError], write: type[TauluError]
) -> None:
    assert type(read_error(error, "a.b")) is read
    assert type(write_error(error, "a.b")) is write
    assert "a.b" in write_error(error, "a.b").message


@pytest.mark.parametrize("error", [OperationTimedOut(), ConnectionShutdown("x")])
def test_the_advice_on_an_answer_that_never_came_fits_what_was_going_on(error: Exception) -> None:
    assert "; send again (Cassandra: " in read_error(error, "a.b").message
    at_start = read_error(error, "a.b", "see that all nodes are up").message
    assert "; see that all nodes are up (Cassandra: " in at_start
    assert "send" not in at_start


@pytest.mark.parametrize(
    ("missed", "is_certain"),
    [
        (ConsistencyLevel.SERIAL, True),
        (ConsistencyLevel.LOCAL_SERIAL, True),
        (ConsistencyLevel.QUORUM, False),
        (ConsistencyLevel.ALL, False),
    ],
)
def test_a_step_that_misses_replicas_for_its_commit_may_have_been_decided(
    missed: int, is_certain: bool
) -> None:
    error = NotEnoughReplicas("no", missed, 3, 2)
    assert isinstance(certain_step_error(error, "a.b"), Unavailable) == is_certain
    assert isinstance(write_error(error, "a.b"), Unavailable)
