"""Idempotency tokens that any process can make again.

A write whose nonce follows from what it is for (this claim's payment, this customer's
purchases) has its effect once, whoever sends it and however often: after a crash, another
process takes the work over without knowing how far it had got.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from taulu_client import IdempotencyToken
from taulu_refunds.moments import EPOCH

Clock = Callable[[], datetime]
"""Returns the present as an aware UTC datetime."""

_NONCE_CHARS_MAX = 64


def nonce(purpose: str, *parts: str | int) -> str:
    """Return the nonce of one intended effect: legible if it fits, else digested."""
    text = ":".join((purpose, *(str(part) for part in parts)))
    if len(text) <= _NONCE_CHARS_MAX and text.isascii() and text.isprintable():
        return text
    return f"{purpose}:{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}"


def token(clock: Clock, purpose: str, *parts: str | int) -> IdempotencyToken:
    """Return the token of one intended effect."""
    create_time_us = (clock() - EPOCH) // timedelta(microseconds=1)
    return IdempotencyToken(create_time_us, nonce(purpose, *parts))
