"""Batches of writes, each in one transaction of two round trips: read all, decide, write all.

What is read is locked first, so what was decided still holds when it is written. A transaction
that lost against another, or its connection, is run again from its start. A COMMIT that
was sent and never answered may have happened: running it again settles that, since the tokens of
the batch are then found, or surely absent.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from taulu.model import (
    Clock,
    Failed,
    TauluError,
    TokenReused,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_postgres._driver import Call, DriverError, Many, SqlRow
from taulu_postgres.dialect import Dialect
from taulu_postgres.mapping import (
    is_about_data,
    is_conflict,
    is_lost,
    may_have_committed,
    refusal_of,
    to_taulu,
)
from taulu_postgres.pool import Pool

ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")

_CONFLICTS_MAX = 50
_LOSSES_MAX = 3
"""How often a connection may be lost, or not be had, before a write that surely did not happen is
refused. One whose fate is unknown is followed until its deadline."""
_REST_S = 0.01
_REST_S_MAX = 0.25

COMMIT = Call("COMMIT")


@dataclass(frozen=True, slots=True)
class Decision(Generic[OutcomeT]):
    """What comes of a batch, and the statements that make it so."""

    outcomes: list[OutcomeT | Failed]
    calls: list[Call | Many]


@dataclass(frozen=True, slots=True)
class Plan(Generic[OutcomeT]):
    """A batch: what to lock and read, and how to decide by the rows of each of these calls."""

    reads: list[Call]
    decide: Callable[[list[list[SqlRow]]], Decision[OutcomeT]]


@dataclass(slots=True)
class _Story:
    """What happened to a batch so far."""

    is_uncertain: bool = False
    """Whether a COMMIT was sent whose answer never came."""
    conflicts: int = 0
    losses: int = 0
    last: TauluError | None = None


@dataclass(frozen=True)
class Transactions:
    """Runs the write transactions of one adapter."""

    pool: Pool
    dialect: Dialect
    clock: Clock
    place: str
    choose: random.Random = field(default_factory=random.SystemRandom)

    async def apply(
        self,
        items: Sequence[ItemT],
        check: Callable[[ItemT], object],
        plan: Callable[[Sequence[ItemT], int], Plan[OutcomeT]],
        deadline: float,
    ) -> list[OutcomeT | Failed]:
        """Apply the items of a batch in one transaction, each with an outcome of its own.

        Args:
            items: What to apply, in order.
            check: Raises when an item's values cannot be stored: it then fails alone.
            plan: Plans some of the items at a time in microseconds.
            deadline: When to give up, on the clock's monotonic time.

        Raises:
            WriteOutcomeUnknown: They may or may not have happened.
            TauluError: None of them happened.
        """
        refused: dict[int, Failed] = {}
        for at, item in enumerate(items):
            try:
                check(item)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
                refused[at] = Failed(refusal_of(error))
        fitting = [item for at, item in enumerate(items) if at not in refused]
        done = iter(await self._apply_fitting(fitting, plan, deadline) if fitting else [])
        return [refused[at] if at in refused else next(done) for at in range(len(items))]

    async def _apply_fitting(
        self,
        items: Sequence[ItemT],
        plan: Callable[[Sequence[ItemT], int], Plan[OutcomeT]],
        deadline: float,
    ) -> list[OutcomeT | Failed]:
        try:
            return await self._settle(lambda now_us: plan(items, now_us), deadline)
        except DriverError as error:
            if len(items) == 1 or not is_about_data(error):
                raise to_taulu(error, self.place) from error
        # One of them has a value that the server does not take: the others must not suffer.
        outcomes: list[OutcomeT | Failed] = []
        for item in items:
            try:
                outcomes += await self._apply_fitting([item], plan, deadline)
            except TauluError as error:
                outcomes.append(Failed(error))
        return outcomes

    async def _settle(
        self, plan: Callable[[int], Plan[OutcomeT]], deadline: float
    ) -> list[OutcomeT | Failed]:
        story = _Story()
        while story.conflicts < _CONFLICTS_MAX:
            try:
                outcomes = await self._attempt(plan(self.clock.now_us()), story, deadline)
                return self._told(outcomes, story)
            except TimeoutError as error:
                raise self._given_up(story) from error
            except DriverError as error:
                self._note(story, error)
                if story.losses >= _LOSSES_MAX and not story.is_uncertain:
                    break
            try:
                await self._rest(story, deadline)
            except TimeoutError as error:
                raise self._given_up(story) from error
        raise self._given_up(story)

    async def _attempt(
        self, plan: Plan[OutcomeT], story: _Story, deadline: float
    ) -> list[OutcomeT | Failed]:
        async with self.pool.connection(deadline) as connection:
            begin = Call(self.dialect.begin_write)
            answers = await connection.ask([begin, *plan.reads], self.pool.left_s(deadline))
            decision = plan.decide(answers[1:])
            left_s = self.pool.left_s(deadline)
            try:
                await connection.ask([*decision.calls, COMMIT], left_s)
            except TimeoutError:
                story.is_uncertain |= bool(decision.calls)
                raise
            except DriverError as error:
                story.is_uncertain |= bool(decision.calls) and may_have_committed(error)
                raise
            return decision.outcomes

    def _note(self, story: _Story, error: DriverError) -> None:
        """Count what can be tried again; raise what cannot."""
        story.last = to_taulu(error, self.place)
        if is_conflict(error):
            story.conflicts += 1
        elif is_lost(error) or may_have_committed(error):
            story.losses += 1
        elif story.is_uncertain:
            raise self._given_up(story) from error
        else:
            raise error

    def _told(self, outcomes: list[OutcomeT | Failed], story: _Story) -> list[OutcomeT | Failed]:
        """Return outcomes as far as they are sure, see `Dialect.fences_by_locks`."""
        if not story.is_uncertain or self.dialect.fences_by_locks:
            return outcomes
        return [
            Failed(self._unknown())
            if isinstance(done, Failed) and not isinstance(done.error, TokenReused)
            else done
            for done in outcomes
        ]

    def _given_up(self, story: _Story) -> TauluError:
        if story.is_uncertain:
            return self._unknown()
        if story.last is not None:
            return story.last
        return Unavailable(
            f"{self.place} did not answer before the deadline; nothing was written; send the "
            "write again, with more time",
            details={"database": self.place},
        )

    def _unknown(self) -> WriteOutcomeUnknown:
        return WriteOutcomeUnknown(
            f"{self.place} did not say whether a write was made durable; send it again with its "
            "token",
            details={"database": self.place},
        )

    async def _rest(self, story: _Story, deadline: float) -> None:
        """Wait a little, and longer the more often it went wrong, but not past the deadline."""
        times = story.conflicts + story.losses
        rest_s = min(_REST_S_MAX, _REST_S * 2 ** min(times, 10)) * self.choose.uniform(0.5, 1.5)
        left_s = self.pool.left_s(deadline)
        if rest_s >= left_s:
            raise TimeoutError
        await asyncio.sleep(rest_s)
