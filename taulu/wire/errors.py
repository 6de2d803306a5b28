"""Errors between messages and the model."""

from __future__ import annotations

from taulu.model.errors import ERRORS_BY_CODE, Group, Internal, TauluError
from taulu.v1 import status_pb2 as pb
from taulu.wire.values import duration_message, duration_us

DOMAIN = "taulu"
"""Of `google.rpc.ErrorInfo`: who gives out the codes."""

_GROUPS: dict[Group, pb.ErrorGroup] = {
    Group.CALLER: pb.ERROR_GROUP_CALLER,
    Group.CONFLICT: pb.ERROR_GROUP_CONFLICT,
    Group.TRANSIENT: pb.ERROR_GROUP_TRANSIENT,
    Group.UNCERTAIN: pb.ERROR_GROUP_UNCERTAIN,
    Group.FATAL: pb.ERROR_GROUP_FATAL,
}

_MESSAGE_BYTES_MAX = 1_000
_DETAIL_BYTES_MAX = 256
"""gRPC carries status in headers, which peers limit to 8 KiB in all."""


def cut(text: str, bytes_max: int) -> str:
    """Return as much of a text as its first bytes in UTF-8 hold."""
    # A character that the cut goes through is left out whole.
    return text.encode(errors="replace")[:bytes_max].decode(errors="ignore")


def error_message(error: TauluError) -> pb.Error:
    """Return an error as the outcome of one item, or as the detail of a call."""
    retry_after_s = error.retry_after_s
    return pb.Error(
        group=_GROUPS[error.group],
        code=error.code,
        message=cut(error.message, _MESSAGE_BYTES_MAX),
        details={name: cut(value, _DETAIL_BYTES_MAX) for name, value in error.details.items()},
        retry_after=None if retry_after_s is None else duration_message(int(retry_after_s * 1e6)),
    )


def error_from(message: pb.Error) -> TauluError:
    """Return an error; one of a code that this version does not know is `Internal`."""
    retry_after_s = None
    if message.HasField("retry_after"):
        retry_after_s = duration_us(message.retry_after) / 1e6
    error_type = ERRORS_BY_CODE.get(message.code)
    if error_type is None:
        return Internal(
            f"the gateway answered with the unknown code {message.code!r}: {message.message}; "
            "upgrade the client",
            details=dict(message.details),
        )
    return error_type(message.message, details=dict(message.details), retry_after_s=retry_after_s)
