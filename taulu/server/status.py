"""From errors to gRPC status: the only place that knows both."""

from __future__ import annotations

import string
from urllib.parse import quote

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from taulu.model import errors
from taulu.model.errors import TauluError
from taulu.wire.errors import DOMAIN, cut, error_message

_PLAIN = string.punctuation.replace("%", "") + " "
"""What gRPC writes into a header as it is, besides letters and digits."""

STATUS_BY_CODE: dict[str, StatusCode] = {
    errors.InvalidArgument.code: StatusCode.INVALID_ARGUMENT,
    errors.UnknownTable.code: StatusCode.NOT_FOUND,
    errors.Unsupported.code: StatusCode.UNIMPLEMENTED,
    errors.LimitExceeded.code: StatusCode.INVALID_ARGUMENT,
    errors.InvalidPageToken.code: StatusCode.INVALID_ARGUMENT,
    errors.InvalidToken.code: StatusCode.INVALID_ARGUMENT,
    errors.TokenReused.code: StatusCode.ALREADY_EXISTS,
    errors.OffsetOutOfRange.code: StatusCode.OUT_OF_RANGE,
    errors.ConditionFailed.code: StatusCode.FAILED_PRECONDITION,
    errors.BoundExceeded.code: StatusCode.FAILED_PRECONDITION,
    errors.HoldNotFound.code: StatusCode.FAILED_PRECONDITION,
    errors.HoldExists.code: StatusCode.FAILED_PRECONDITION,
    errors.Unavailable.code: StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded.code: StatusCode.DEADLINE_EXCEEDED,
    errors.Overloaded.code: StatusCode.RESOURCE_EXHAUSTED,
    errors.Contention.code: StatusCode.ABORTED,
    errors.WriteOutcomeUnknown.code: StatusCode.UNKNOWN,
    errors.Internal.code: StatusCode.INTERNAL,
    errors.Corrupt.code: StatusCode.DATA_LOSS,
    errors.StorageFull.code: StatusCode.RESOURCE_EXHAUSTED,
    errors.SchemaConflict.code: StatusCode.FAILED_PRECONDITION,
    errors.ConfigError.code: StatusCode.FAILED_PRECONDITION,
}


_HEADER_BYTES_MAX = 2_000
"""Of the message in its own header, where every byte outside plain text takes three."""


def status_of(error: TauluError) -> tuple[StatusCode, str, bytes]:
    """Return status code, message, and the bytes of `grpc-status-details-bin`.

    The details hold a `taulu.v1.Error`, a `google.rpc.ErrorInfo` for clients that know only
    the standard ones, and a `google.rpc.RetryInfo` where waiting and sending again is right.
    """
    code = STATUS_BY_CODE[error.code]
    typed = error_message(error)
    info = error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=typed.details)
    details: list[Message] = [typed, info]
    if error.retry_after_s is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=typed.retry_after))
    status = status_pb2.Status(code=code.value[0], message=typed.message)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return code, _header_text(typed.message), status.SerializeToString()


def _header_text(message: str) -> str:
    """Return what of a message fits its header; the details have all of it."""
    if len(quote(message, safe=_PLAIN)) <= _HEADER_BYTES_MAX:
        return message
    return cut(message, _HEADER_BYTES_MAX // 3)
