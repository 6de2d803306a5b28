"""Idempotency tokens of tables that Paxos keeps.

Each step of a partition leaves its tokens in the partition's head, by the same conditional batch
that has their effects. Before the next step replaces the head, its tokens are copied into the
companion table, by a plain write that a quorum has acknowledged. So a token whose effect has
happened is in the head or in the companion, at any time and after any crash; heads stay small,
and the companion is spread over the cluster and expires by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from taulu.codec import Effect, fingerprint
from taulu.model import TokenReused
from taulu_cassandra import statements
from taulu_cassandra._driver import CqlValue
from taulu_cassandra.calls import Call
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.together import together

Result = tuple[int, ...]
"""What came of an effect, in the order of its kind: a version, a counter's state, a place."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A token with the effect that it named."""

    nonce: str
    fingerprint: bytes
    result: Result

    def to_cql(self) -> tuple[str, bytes, list[int]]:
        """Return the token as the head keeps it."""
        return self.nonce, self.fingerprint, list(self.result)


def read_kept(stored: object) -> tuple[Kept, ...]:
    """Return the tokens that a head keeps."""
    found = cast("Sequence[tuple[str, bytes, Sequence[int]]]", stored or ())
    return tuple(Kept(nonce, bytes(mark), tuple(result)) for nonce, mark, result in found)


@dataclass(frozen=True, slots=True)
class TokenBook:
    """The tokens of one table, in its companion."""

    stored: StoredTable
    partition: tuple[str, ...]
    """The names of the columns that stand for the partition in the companion."""

    async def find(
        self, place: tuple[CqlValue, ...], nonces: Iterable[str], call: Call
    ) -> dict[str, Kept]:
        """Return the tokens that are in the companion, all looked up at once."""

        async def find_one(nonce: str) -> Kept | None:
            text = statements.select_token(self.stored.layout, self.partition)
            bound = await self.stored.bind(text, *place, nonce)
            rows = await self.stored.calls.read(bound, self.stored.layout.levels.quorum, call)
            return Kept(nonce, bytes(rows[0][0]), tuple(rows[0][1])) if rows else None

        found = await together(find_one(nonce) for nonce in nonces)
        return {kept.nonce: kept for kept in found if kept is not None}

    async def copy(
        self, place: tuple[CqlValue, ...], step: tuple[int, Sequence[Kept]], call: Call
    ) -> None:
        """Copy the tokens of a step into the companion; repeating it changes nothing."""
        at_us, tokens = step

        async def copy_one(kept: Kept) -> None:
            layout = self.stored.layout
            text = statements.put_token(layout, self.partition)
            values = (*place, kept.nonce, kept.fingerprint, list(kept.result))
            ttl_s = self.stored.window_s + self.stored.margin_s
            bound = await self.stored.bind(text, *values, at_us, ttl_s)
            await self.stored.calls.write((bound,), layout.levels.quorum, call)

        await together(copy_one(kept) for kept in tokens)

    def check(self, kept: Kept, effect: Effect) -> None:
        """Refuse a token that has named another effect.

        Raises:
            TokenReused: It has.
        """
        if kept.fingerprint != fingerprint(effect):
            raise TokenReused(
                f"idempotency token {kept.nonce!r} has already named another write to "
                f"{self.stored.name}; make a new token for every new effect",
                details={"table": self.stored.name, "nonce": kept.nonce},
            )
