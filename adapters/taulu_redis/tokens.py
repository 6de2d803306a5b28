"""Idempotency tokens as the scripts take them, and what they say of a token."""

from __future__ import annotations

from dataclasses import dataclass

from taulu.codec import Effect, fingerprint
from taulu.model import IdempotencyToken, TokenReused
from taulu_redis._driver import Argument
from taulu_redis.keys import Spot


@dataclass(frozen=True, slots=True)
class Moment:
    """When an operation runs, and how long what it leaves is kept."""

    now_us: int
    margin_us: int
    """How long after its end by our clock Redis may drop something by its own."""
    window_us: int
    """How long a token is remembered."""

    def opening(self, effect: Effect) -> list[Argument]:
        """Return the arguments with which every writing script begins."""
        token: IdempotencyToken = effect.token
        left_us = max(token.create_time_us, self.now_us) + self.window_us - self.now_us
        return [self.now_us, self.margin_us, fingerprint(effect).hex(), -(-left_us // 1_000)]


def token_key(spot: Spot, effect: Effect) -> bytes:
    """Return the key under which the effect's token is remembered."""
    token: IdempotencyToken = effect.token
    return spot.token(token.nonce)


def reused(table: str, effect: Effect) -> TokenReused:
    """Return the error of a token that has named another effect."""
    token: IdempotencyToken = effect.token
    return TokenReused(
        f"idempotency token {token.nonce!r} has already named another write to {table}; make a "
        "new token for every new effect",
        details={"table": table, "nonce": token.nonce},
    )
