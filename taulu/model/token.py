"""The mark that lets a write be sent again without being done again."""

from __future__ import annotations

from dataclasses import dataclass

NONCE_CHARS_MIN = 8
NONCE_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class IdempotencyToken:
    """Names one intended effect: same token, same effect, once.

    The nonce alone is the identity, within one table, so that a process which takes over
    another's work can settle its writes without knowing when they were first sent. The time
    only says how long the token must be remembered: for the gateway's token window.
    """

    create_time_us: int
    """When the client made it, in microseconds since 1970."""
    nonce: str
    """8 to 64 printable ASCII characters, unique to the effect within the table."""
