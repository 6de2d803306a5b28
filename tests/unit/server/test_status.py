from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from taulu.model import ERRORS_BY_CODE, Group, LimitExceeded, Overloaded, TauluError
from taulu.server.status import STATUS_BY_CODE, status_of
from taulu.v1 import status_pb2 as pb
from taulu.wire.errors import error_message


def details_of(error: TauluError) -> status_pb2.Status:
    return status_pb2.Status.FromString(status_of(error)[2])


def test_every_code_has_a_status_and_no_other_has():
    assert set(STATUS_BY_CODE) == set(ERRORS_BY_CODE)


@pytest.mark.parametrize("code", sorted(ERRORS_BY_CODE))
def test_every_error_is_told_in_full(code: str):
    error = ERRORS_BY_CODE[code]("it went wrong", details={"table": "a.b"})
    status, message, _ = status_of(error)
    details = details_of(error)
    assert status is not StatusCode.OK
    assert (message, details.message, details.code) == (
        "it went wrong",
        "it went wrong",
        status.value[0],
    )
    typed, info = pb.Error(), error_details_pb2.ErrorInfo()
    assert details.details[0].Unpack(typed)
    assert details.details[1].Unpack(info)
    assert (typed.code, info.reason, info.domain) == (code, code, "taulu")
    assert dict(typed.details) == dict(info.metadata) == {"table": "a.b"}


@pytest.mark.parametrize("group", Group)
def test_groups_have_the_same_names_on_the_wire(group: Group):
    error = next(kind for kind in ERRORS_BY_CODE.values() if kind.group is group)("x")
    assert pb.ErrorGroup.Name(error_message(error).group) == f"ERROR_GROUP_{group.name}"


def test_a_retry_hint_is_given_where_there_is_one():
    hinted = details_of(Overloaded("busy", retry_after_s=0.25))
    retry = error_details_pb2.RetryInfo()
    assert hinted.details[2].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 250
    assert len(details_of(LimitExceeded("no")).details) == 2


@pytest.mark.parametrize("character", ["x", "%", "\x00", "é", "€", "🎉", "\ud800"])
def test_long_messages_are_cut_to_what_headers_can_carry(character: str):
    error = LimitExceeded(character * 50_000, details={"sent": character * 50_000})
    _, message, details = status_of(error)
    # The message goes percent-encoded and the details go in base64.
    size = len(quote(message, safe=" ")) + len(base64.b64encode(details))
    assert size < 8 * 1024
    assert len(message) > 100
