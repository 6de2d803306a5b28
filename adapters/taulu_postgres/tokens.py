"""Idempotency tokens, kept in the transaction of the effect that they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from taulu.codec import fingerprint
from taulu.model import CounterChange, IdempotencyToken, NewRecord, TokenReused, WriteUnit
from taulu_postgres._driver import Call, SqlRow
from taulu_postgres.columns import expire_time
from taulu_postgres.stored import StoredTable

Effect: TypeAlias = WriteUnit | CounterChange | NewRecord


def read_tokens(stored: StoredTable, effects: Sequence[Effect]) -> Call:
    """Look the tokens of a batch up. Answers `(nonce, fingerprint, outcome)`."""
    nonces = sorted({effect.token.nonce for effect in effects})
    return Call(
        f"SELECT nonce, fingerprint, outcome FROM {stored.names.tokens} "
        "WHERE table_id = $1::integer AND nonce = ANY($2::text[])",
        (stored.id, nonces),
    )


class TokenBook:
    """The tokens of one batch: those that were found, and those that it adds.

    A token is kept until its window has passed since it was made, or since it was first seen
    when its maker's clock is behind. One that is still there afterwards still counts.
    """

    def __init__(self, stored: StoredTable, found: Iterable[SqlRow], now_us: int) -> None:
        self._stored = stored
        self._now_us = now_us
        self._known = {nonce: (bytes(print_), tuple(result)) for nonce, print_, result in found}
        self._added: dict[str, tuple[bytes, tuple[int, ...], int]] = {}

    def recall(self, effect: Effect) -> tuple[int, ...] | None:
        """Return the outcome of an effect that was applied before; None when it was not.

        Raises:
            TokenReused: The token names another effect.
        """
        nonce = effect.token.nonce
        if nonce not in self._known:
            return None
        known, outcome = self._known[nonce]
        if known != fingerprint(effect):
            name = self._stored.table.full_name
            raise TokenReused(
                f"idempotency token {nonce!r} has already named another write to {name}; make a "
                "new token for every new effect",
                details={"table": name, "nonce": nonce},
            )
        return outcome

    def remember(self, effect: Effect, *outcome: int) -> None:
        """Keep the outcome of an effect that has just been decided."""
        token: IdempotencyToken = effect.token
        self._known[token.nonce] = fingerprint(effect), outcome
        end_us = max(token.create_time_us, self._now_us) + self._stored.window_us
        self._added[token.nonce] = (*self._known[token.nonce], end_us)

    def calls(self) -> list[Call]:
        """Return the statement that stores what was added, if anything was."""
        if not self._added:
            return []
        added = list(self._added.values())
        values = (
            self._stored.id,
            list(self._added),
            [print_ for print_, _, _ in added],
            # Arrays of different lengths make no array of arrays, so each goes as text.
            ["{" + ",".join(map(str, outcome)) + "}" for _, outcome, _ in added],
            [expire_time(end_us) for _, _, end_us in added],
        )
        return [
            Call(
                f"INSERT INTO {self._stored.names.tokens} "
                "SELECT $1::integer, n, f, o::bigint[], e FROM "
                "unnest($2::text[], $3::bytea[], $4::text[], $5::timestamptz[]) AS k(n, f, o, e)",
                values,
            )
        ]
