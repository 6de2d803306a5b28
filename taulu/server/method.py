"""The port between the services and a transport: methods over bytes.

A transport carries bytes and knows nothing of tables; a service knows nothing of gRPC's
library. Both meet in this table of methods, so that another transport needs no other service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from taulu.model.errors import InvalidArgument, Unavailable
from taulu.spi.context import Context

RequestT = TypeVar("RequestT", bound=Message)

PAGE_S_MAX = 10.0
"""What one page of a stream without a deadline may take, besides its wait."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its transport sees it."""

    context: Context
    has_deadline: bool
    """Whether the caller set the deadline; a stream without one ends only by its own end."""
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the worker wants open streams to end."""

    def page_context(self, now: float, wait_s: float = 0.0) -> Context:
        """Return the context of one page of a stream.

        A stream without a deadline may take as long as its reader likes, so each of its pages
        gets a deadline of its own.

        Args:
            now: The clock's monotonic seconds.
            wait_s: How long the page may wait for records before it ends without any.
        """
        if self.has_deadline:
            return self.context
        return replace(self.context, deadline=now + wait_s + PAGE_S_MAX)

    def check_draining(self) -> None:
        """End a stream between two responses when the worker is draining.

        Raises:
            Unavailable: The worker is stopping; the last response says where to go on.
        """
        if self.draining.is_set():
            raise Unavailable(
                "this worker is stopping; open the stream again where it ended",
                retry_after_s=0.1,
            )


Unary: TypeAlias = Callable[[RequestT, Call], Awaitable[Message]]
Stream: TypeAlias = Callable[[RequestT, Call], AsyncIterator[Message]]


@dataclass(frozen=True, slots=True)
class Method(Generic[RequestT]):
    """One RPC: where it is found, what it takes, and what carries it out."""

    path: str
    """For instance `/taulu.v1.DataService/Get`."""
    request_type: type[RequestT]
    unary: Unary[RequestT] | None = None
    stream: Stream[RequestT] | None = None
    """Exactly one of the two is set."""

    def decode(self, data: bytes) -> RequestT:
        """Return the request of these bytes.

        Raises:
            InvalidArgument: The bytes are no such message.
        """
        try:
            return self.request_type.FromString(data)
        except DecodeError as error:
            raise InvalidArgument(
                f"the {len(data)} bytes sent to {self.path} are no "
                f"{self.request_type.DESCRIPTOR.full_name}; "
                "check that client and gateway use the same taulu.v1 protos"
            ) from error
