from __future__ import annotations

import asyncio

import pytest

from taulu.model import InvalidArgument, Unavailable
from taulu.server.method import Call, Method
from taulu.v1 import data_pb2 as pb
from tests.unit.policy.parts import CONTEXT

METHOD = Method("/taulu.v1.DataService/Get", pb.GetRequest)


def test_a_request_is_decoded():
    request = pb.GetRequest(table="a.b")
    assert METHOD.decode(request.SerializeToString()) == request


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"])
def test_garbage_is_a_typed_error(data: bytes):
    with pytest.raises(InvalidArgument, match=r"no taulu\.v1\.GetRequest"):
        METHOD.decode(data)


def test_a_stream_ends_when_the_worker_drains():
    call = Call(CONTEXT, has_deadline=False, draining=asyncio.Event())
    call.check_draining()
    call.draining.set()
    with pytest.raises(Unavailable, match="stopping"):
        call.check_draining()
