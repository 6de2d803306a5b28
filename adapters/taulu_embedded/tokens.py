"""Idempotency tokens, kept in the transaction of the effect that they name."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from taulu.codec import Effect, fingerprint
from taulu.model import Corrupt, IdempotencyToken, TokenReused
from taulu_embedded import statements
from taulu_embedded.transaction import Transaction

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, ...])


@dataclass(frozen=True, slots=True)
class TokenBook:
    """The tokens of one table.

    A token is kept until its window has passed since it was made, or since it was first seen
    when its maker's clock is behind. One that is still there afterwards still counts.
    """

    table_id: int
    table_name: str
    window_us: int

    def recall(self, transaction: Transaction, effect: Effect) -> tuple[int, ...] | None:
        """Return the result of an effect that was applied before; None when it was not.

        Raises:
            TokenReused: The token names another effect.
        """
        nonce = effect.token.nonce
        row = transaction.connection.one(statements.GET_TOKEN, self.table_id, nonce)
        if row is None:
            return None
        if row[0] != fingerprint(effect):
            raise TokenReused(
                f"idempotency token {nonce!r} has already named another write to "
                f"{self.table_name}; make a new token for every new effect",
                details={"table": self.table_name, "nonce": nonce},
            )
        try:
            return _decoder.decode(row[1])
        except msgspec.MsgspecError as error:
            raise Corrupt(
                f"the stored result of token {nonce!r} of {self.table_name} cannot be decoded: "
                f"{error}",
                details={"table": self.table_name, "nonce": nonce},
            ) from error

    def remember(self, transaction: Transaction, effect: Effect, *result: int) -> None:
        """Keep the result of an effect that has just been applied."""
        token: IdempotencyToken = effect.token
        transaction.connection.execute(
            statements.PUT_TOKEN,
            self.table_id,
            token.nonce,
            fingerprint(effect),
            _encoder.encode(result),
            max(token.create_time_us, transaction.now_us) + self.window_us,
        )
