"""Idempotency tokens: what each named, and what came of it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Generic, TypeAlias, TypeVar, cast

from taulu.model import CounterChange, IdempotencyToken, NewRecord, TokenReused, WriteUnit

Effect: TypeAlias = WriteUnit | CounterChange | NewRecord
ResultT = TypeVar("ResultT")


def _text(value: object) -> str:
    """Spell a value so that equal effects, and only they, are spelled alike."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return "{" + ",".join(f"{name!r}:{_text(held)}" for name, held in sorted(items)) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(_text(held) for held in cast("tuple[object, ...]", value)) + "]"
    if is_dataclass(value):
        held = (getattr(value, part.name) for part in fields(value) if part.name != "token")
        return type(value).__name__ + _text(tuple(held))
    return repr(value)


@dataclass(slots=True)
class TokenBook(Generic[ResultT]):
    """The tokens of one table, each with its effect and its result, until its window has passed."""

    table: str
    window_us: int
    _known: dict[str, tuple[str, ResultT]] = field(default_factory=dict[str, "tuple[str, ResultT]"])
    _ends: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def recall(self, effect: Effect, now_us: int) -> ResultT | None:
        """Return the result of an effect that was applied before; None when it was not.

        Raises:
            TokenReused: The token names another effect.
        """
        while self._ends and self._ends[0][0] <= now_us:
            del self._known[heapq.heappop(self._ends)[1]]
        nonce = effect.token.nonce
        if nonce not in self._known:
            return None
        text, result = self._known[nonce]
        if text != _text(effect):
            raise TokenReused(
                f"idempotency token {nonce!r} has already named another write to {self.table}; "
                "make a new token for every new effect",
                details={"table": self.table, "nonce": nonce},
            )
        return result

    def remember(self, effect: Effect, result: ResultT, now_us: int) -> None:
        """Keep the result of an effect that has just been applied."""
        token: IdempotencyToken = effect.token
        self._known[token.nonce] = (_text(effect), result)
        end_us = max(token.create_time_us, now_us) + self.window_us
        heapq.heappush(self._ends, (end_us, token.nonce))
