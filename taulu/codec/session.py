"""Session tokens: how a version travels between calls."""

from __future__ import annotations

from taulu.model.errors import InvalidToken
from taulu.model.value import INT64_MAX

_PREFIX = "v1:"


def session_token(version: int) -> str:
    """Return the token that stands for having seen this version."""
    return f"{_PREFIX}{version}"


def session_version(token: str) -> int:
    """Return the version that a token stands for; 0 for the empty token.

    Raises:
        InvalidToken: The token is damaged.
    """
    if not token:
        return 0
    digits = token.removeprefix(_PREFIX)
    if digits == token or not (digits.isascii() and digits.isdecimal() and len(digits) <= 19):
        raise InvalidToken(
            "the session token is damaged; send one unchanged as a reply gave it, or none"
        )
    version = int(digits)
    if version > INT64_MAX:
        raise InvalidToken("the session token is out of range; send one as a reply gave it")
    return version
