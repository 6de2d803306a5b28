"""Every write carries a token that its adapter will still remember."""

from __future__ import annotations

from dataclasses import dataclass

from taulu.model.clock import Clock
from taulu.model.errors import InvalidArgument, InvalidToken
from taulu.model.operation import Commit, CounterChange, NewRecord, Release, Reserve, WriteUnit
from taulu.model.table import TTL_US_MAX
from taulu.model.token import NONCE_CHARS_MAX, NONCE_CHARS_MIN, IdempotencyToken
from taulu.policy.screen import Check

CLOCK_SKEW_US_MAX = 5 * 60 * 1_000_000
"""How far ahead of the gateway's a client's clock may be."""

HOLD_ID_CHARS_MAX = 128


@dataclass(frozen=True, slots=True)
class Idempotency(Check):
    """Refuses tokens that are malformed, or so old that the adapter may have forgotten them.

    The adapter does the rest: it remembers the token in the same atomic step as the effect.
    """

    clock: Clock
    window_us: int

    def unit(self, unit: WriteUnit) -> WriteUnit:
        """Check a write unit's token."""
        self._check(unit.token)
        return unit

    def change(self, change: CounterChange) -> CounterChange:
        """Check a counter change's token, and its hold's name, which repeats depend on."""
        self._check(change.token)
        if isinstance(change, Reserve | Commit | Release):
            size = len(change.hold_id)
            if not 1 <= size <= HOLD_ID_CHARS_MAX:
                raise InvalidArgument(
                    f"a hold_id has 1 to {HOLD_ID_CHARS_MAX} characters, not {size}"
                )
        if isinstance(change, Reserve) and not 0 < change.ttl_us <= TTL_US_MAX:
            raise InvalidArgument(
                "a hold needs a ttl above zero, so that it ends by itself, and of at most 100 years"
            )
        return change

    def record(self, record: NewRecord) -> NewRecord:
        """Check a log record's token."""
        self._check(record.token)
        return record

    def _check(self, token: IdempotencyToken) -> None:
        nonce = token.nonce
        if not (
            NONCE_CHARS_MIN <= len(nonce) <= NONCE_CHARS_MAX
            and nonce.isascii()
            and nonce.isprintable()
        ):
            raise InvalidToken(
                f"an idempotency token needs a nonce of {NONCE_CHARS_MIN} to {NONCE_CHARS_MAX} "
                f"printable ASCII characters; this one has {len(nonce)}; a random UUID will do"
            )
        age_us = self.clock.now_us() - token.create_time_us
        if age_us > self.window_us:
            raise InvalidToken(
                f"the idempotency token is {age_us // 1_000_000} s old, past the window of "
                f"{self.window_us // 1_000_000} s (token_window), so it may have been forgotten; "
                "read the present state before writing with a new token",
                details={"age_s": str(age_us // 1_000_000)},
            )
        if -age_us > CLOCK_SKEW_US_MAX:
            raise InvalidToken(
                f"the idempotency token is from {-age_us // 1_000_000} s in the future; "
                "create_time_us is in microseconds since 1970: set the client's clock right",
                details={"age_s": str(age_us // 1_000_000)},
            )
