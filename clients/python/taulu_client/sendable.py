"""What a message cannot hold is the caller's mistake, and told as one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from taulu.model.errors import InvalidArgument


@contextmanager
def sendable() -> Generator[None]:
    """Make a request, or be told what in it cannot be sent: a number of 65 bits, half a character.

    Raises:
        InvalidArgument: A field of the message does not take what it was given.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"the request holds what cannot be sent: {error}") from error
