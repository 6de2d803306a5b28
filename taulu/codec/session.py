"""Session tokens: how what a client has written and seen travels between calls."""

from __future__ import annotations

import re
from typing import NamedTuple

from taulu.model.errors import InvalidToken
from taulu.model.value import INT64_MAX

_PREFIX = "v1:"
_TOKEN = re.compile(r"v1:([0-9]{1,19})(?::([0-9]{1,19}))?")


class Session(NamedTuple):
    """What a token stands for."""

    version: int = 0
    """The highest version written or seen."""
    time_us: int = 0
    """The time from which on every read shows it; 0 when only the version is known."""


def session_token(version: int, time_us: int = 0) -> str:
    """Return the token that stands for having seen this version, as of this time."""
    return f"{_PREFIX}{version}:{time_us}" if time_us else f"{_PREFIX}{version}"


def session_of(token: str) -> Session:
    """Return what a token stands for; nothing for the empty token.

    Raises:
        InvalidToken: The token is damaged.
    """
    if not token:
        return Session()
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise InvalidToken(
            "the session token is damaged; send one unchanged as a reply gave it, or none"
        )
    session = Session(int(found[1]), int(found[2] or 0))
    if max(session) > INT64_MAX:
        raise InvalidToken("the session token is out of range; send one as a reply gave it")
    return session
