"""Steps: how one partition of a table that Paxos keeps moves from one state to the next.

A step reads the partition's head by Paxos and what else it needs behind that, works out in
memory what its effects come to, and writes all of it with the new head in one conditional batch,
`IF _seq = <what was read>`. `_seq` only grows, so of all steps that began at one state one is
taken, and an attempt whose answer was lost can never be taken twice, nor after another.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from taulu.codec import Effect, fingerprint
from taulu.model import Contention, Failed, TauluError, Unavailable, WriteOutcomeUnknown
from taulu_cassandra._driver import Bound, CqlValue
from taulu_cassandra.calls import Call, OutcomeUnclearError
from taulu_cassandra.lanes import Lanes
from taulu_cassandra.mapping import outcome_unknown
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.together import together
from taulu_cassandra.tokens import Kept, Result, TokenBook

_RETRY_S = 0.05

EffectT = TypeVar("EffectT", bound=Effect)
EffectT_contra = TypeVar("EffectT_contra", bound=Effect, contravariant=True)
StateT = TypeVar("StateT")


@dataclass(frozen=True, slots=True)
class Head:
    """What a partition says of its last step."""

    seq: int | None
    """The last version given out; None before the first step."""
    last: tuple[Kept, ...]
    """The tokens of the last step."""


class Ground(Protocol[EffectT_contra, StateT]):
    """One partition of one kind of table: how it is read, changed and written."""

    @property
    def place(self) -> tuple[CqlValue, ...]:
        """What stands for the partition in the companion table."""
        ...

    async def load(self, effects: Sequence[EffectT_contra], call: Call) -> tuple[Head, StateT]:
        """Read the head by Paxos, and then what else the effects need."""
        ...

    def apply(self, state: StateT, effect: EffectT_contra, version: int) -> Result:
        """Change the state in memory; when it raises, the state is as before."""
        ...

    async def settle(self, state: StateT, call: Call) -> None:
        """Make safe what the last step left in the head besides tokens."""
        ...

    async def batch(self, state: StateT, before: Head, after: Head) -> list[Bound]:
        """Return the conditional batch that makes the state so."""
        ...

    async def finish(self, state: StateT, call: Call) -> None:
        """Do what can be done at once after the step was taken; nothing depends on it."""
        ...


class Done(NamedTuple):
    """What came of an effect that was not refused."""

    result: Result
    is_first: bool
    """Whether it is sure that this call had the effect, and not an earlier one with its token."""


@dataclass(slots=True)
class _Attempts:
    """What became of the attempts of one call so far."""

    count: int = 0
    unclear: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
    """By token: the state from which a step with it was tried without an answer."""
    error: Exception | None = None


class Steps(Generic[EffectT, StateT]):
    """Takes steps on the partitions of one table."""

    def __init__(self, stored: StoredTable, tokens: TokenBook, lanes: Lanes) -> None:
        self._stored = stored
        self._tokens = tokens
        self._lanes = lanes
        self._calls = stored.calls

    async def take(
        self, ground: Ground[EffectT, StateT], effects: Sequence[EffectT], deadline: float
    ) -> list[Done | Failed]:
        """Apply effects in order, each once; return what came of each.

        An effect that is refused fails alone. What concerns all of them fails all of them.
        """
        call = self._stored.call(deadline)
        lane: Hashable = (self._stored.name, ground.place)
        attempts = _Attempts()
        try:
            async with self._lanes.taken(lane, self._calls.left_s(call)):
                return await self._take(ground, effects, call, attempts)
        except TimeoutError:
            return [Failed(self._contention()) for _ in effects]
        except TauluError as error:
            return [Failed(self._final(effect, error, attempts)) for effect in effects]

    async def _take(
        self,
        ground: Ground[EffectT, StateT],
        effects: Sequence[EffectT],
        call: Call,
        attempts: _Attempts,
    ) -> list[Done | Failed]:
        while True:
            head, state = await ground.load(effects, call)
            known = await self._known(ground, head, effects, call)
            await ground.settle(state, call)
            outcomes, fresh = self._apply(ground, state, (head, known), effects)
            if not fresh:
                return self._sure(effects, outcomes, head, attempts)
            after = Head(fresh[-1][1], tuple(kept for kept, _ in fresh))
            levels = (self._stored.layout.levels.write, self._stored.layout.levels.serial)
            batch = await ground.batch(state, head, after)
            try:
                if await self._calls.compare_and_set(batch, levels, call):
                    await ground.finish(state, call)
                    return outcomes
            except OutcomeUnclearError as error:
                attempts.error = (
                    error.__cause__ if isinstance(error.__cause__, Exception) else error
                )
                attempts.unclear.update({kept.nonce: head.seq for kept, _ in fresh})
            if self._calls.left_s(call) <= 0:
                raise self._contention()
            await self._calls.rest(call, attempts.count)
            attempts.count += 1

    async def _known(
        self,
        ground: Ground[EffectT, StateT],
        head: Head,
        effects: Sequence[EffectT],
        call: Call,
    ) -> dict[str, Kept]:
        """Return the effects' tokens that are known already; make the head's safe beside it."""
        known = {kept.nonce: kept for kept in head.last}
        if head.seq is None:
            return known
        asked = list({effect.token.nonce for effect in effects} - known.keys())
        place = ground.place
        found, _ = await together(
            [
                self._find(place, asked, call),
                self._copy(place, (head.seq, head.last), call),
            ]
        )
        return known | found

    async def _find(
        self, place: tuple[CqlValue, ...], asked: list[str], call: Call
    ) -> dict[str, Kept]:
        return await self._tokens.find(place, asked, call)

    async def _copy(
        self, place: tuple[CqlValue, ...], step: tuple[int, Sequence[Kept]], call: Call
    ) -> dict[str, Kept]:
        try:
            await self._tokens.copy(place, step, call)
        except WriteOutcomeUnknown as error:
            # Nothing of this call was written: what is unclear is the copy of an earlier one.
            raise Unavailable(
                f"table {self._stored.name}: the tokens of the step before could not be made "
                "safe, and nothing was written; send again",
                details={"table": self._stored.name},
                retry_after_s=_RETRY_S,
            ) from error
        return {}

    def _apply(
        self,
        ground: Ground[EffectT, StateT],
        state: StateT,
        known: tuple[Head, dict[str, Kept]],
        effects: Sequence[EffectT],
    ) -> tuple[list[Done | Failed], list[tuple[Kept, int]]]:
        """Apply what is new to the state; return outcomes, and new tokens with their versions."""
        head, kept_by_nonce = known
        last = head.seq or 0
        outcomes: list[Done | Failed] = []
        fresh: list[tuple[Kept, int]] = []
        for effect in effects:
            kept = kept_by_nonce.get(effect.token.nonce)
            version = max(self._calls.clock.now_us(), last + 1)
            try:
                is_first = kept is None
                if kept is None:
                    result = ground.apply(state, effect, version)
                    kept = Kept(effect.token.nonce, fingerprint(effect), result)
                    kept_by_nonce[kept.nonce] = kept
                    fresh.append((kept, version))
                    last = version
                else:
                    self._tokens.check(kept, effect)
                outcomes.append(Done(kept.result, is_first))
            except TauluError as error:
                outcomes.append(Failed(error))
        return outcomes, fresh

    def _sure(
        self,
        effects: Sequence[EffectT],
        outcomes: list[Done | Failed],
        head: Head,
        attempts: _Attempts,
    ) -> list[Done | Failed]:
        """Return outcomes, a refusal only where no earlier attempt can still be taken.

        An attempt without an answer began at some state; it may still come to pass as long as
        the partition is in that state.
        """
        return [
            Failed(outcome_unknown(self._stored.name, "an earlier attempt may yet be applied"))
            if isinstance(outcome, Failed)
            and effect.token.nonce in attempts.unclear
            and attempts.unclear[effect.token.nonce] == head.seq
            else outcome
            for effect, outcome in zip(effects, outcomes, strict=True)
        ]

    def _final(self, effect: EffectT, error: TauluError, attempts: _Attempts) -> TauluError:
        """Return what an effect's caller is told when the whole call failed."""
        if effect.token.nonce in attempts.unclear:
            reason = type(attempts.error).__name__
            return outcome_unknown(self._stored.name, reason)
        return error

    def _contention(self) -> Contention:
        return Contention(
            f"too many writers meet on one partition of {self._stored.name}, and the deadline "
            "passed; nothing was written; send again, or spread the writes over more partitions",
            details={"table": self._stored.name},
            retry_after_s=_RETRY_S,
        )
