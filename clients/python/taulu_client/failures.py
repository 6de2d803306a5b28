"""From gRPC status to errors: what the gateway said, or what the transport can only guess."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

from taulu.model.errors import (
    DeadlineExceeded,
    Internal,
    LimitExceeded,
    TauluError,
    Unavailable,
    Unsupported,
    WriteOutcomeUnknown,
)
from taulu.v1 import status_pb2 as pb
from taulu.wire.errors import error_from

_DETAILS_KEY = "grpc-status-details-bin"
_LOST = frozenset(
    {
        StatusCode.UNAVAILABLE,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.CANCELLED,
        StatusCode.UNKNOWN,
        StatusCode.INTERNAL,
        StatusCode.ABORTED,
    }
)
"""Statuses of a transport that may have lost the reply of a request that was carried out."""


def to_taulu(failure: AioRpcError, *, is_write: bool) -> TauluError:
    """Return the error of a failed call.

    A status with the gateway's own details says what happened. One without comes from the
    transport, or from something between, and leaves the fate of a write open.
    """
    told = _told(failure)
    if told is not None:
        return told
    what = f"{failure.code().name} from the transport: {failure.details()}"
    match failure.code():
        case code if code in _LOST and is_write:
            return WriteOutcomeUnknown(
                f"the reply to a write was lost ({what}); send it again with its token"
            )
        case StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"no reply came in time ({what}); allow more, or ask for less")
        case StatusCode.UNAVAILABLE | StatusCode.CANCELLED:
            return Unavailable(f"the gateway cannot be reached ({what}); is it running?")
        case StatusCode.RESOURCE_EXHAUSTED:
            return LimitExceeded(f"a message is too large ({what}); send or ask for less at once")
        case StatusCode.UNIMPLEMENTED:
            return Unsupported(f"the gateway does not know this call ({what}); upgrade it")
        case _:
            return Internal(f"the call failed ({what})")


def _told(failure: AioRpcError) -> TauluError | None:
    for key, value in failure.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return _unpacked(value)
    return None


def _unpacked(data: bytes) -> TauluError | None:
    try:
        status = status_pb2.Status.FromString(data)
        for detail in status.details:
            message = pb.Error()
            if detail.Unpack(message):
                return error_from(message)
    except DecodeError:
        return None
    return None
