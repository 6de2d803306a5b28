"""Calls with a short deadline, what became of each, and the book of all that was seen."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from taulu.conformance import Execute
from taulu.model import Failed, IdempotencyToken, TauluError, WriteOutcomeUnknown
from taulu.model.errors import Group
from taulu.model.operation import Operation
from taulu.spi import Context

ResultT = TypeVar("ResultT")
_TRAIL_LINES = 16
_BEAT_S = 0.05
_LATE_S = 0.2
"""How late a beat may be before the event loop counts as having stood still."""


class Phase(Enum):
    """Where in a run a call was made and answered."""

    HEALTHY = "healthy"
    INJECTING = "injecting"
    FAULT = "fault"
    MENDING = "mending"
    RECOVERY = "recovery"
    SETTLING = "settling"
    ACROSS = "across"
    """Made in one phase and answered in another."""


class Fate(Enum):
    """What a caller knows of a write."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """Nothing happened, says the error, and it may be sent again."""
    CONFLICT = "conflict"
    """Nothing happened, says the error, because of the present state."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take in a run, in seconds."""

    healthy_s: float = 1.5
    fault_s: float = 4.0
    call_s: float = 2.0
    """The deadline of every call."""
    grace_s: float = 2.0
    """How much later than its deadline a call may return, not counting the time in which the
    whole test process stood still."""
    rest_s: float = 0.02
    """The pause of a worker between two steps."""
    setback_s: float = 0.1
    """The pause of a worker after a write that was refused, or whose fate is unknown."""


@dataclass
class Book:
    """Everything that a run has seen."""

    started: float = field(default_factory=time.monotonic)
    phase: Phase = Phase.HEALTHY
    violations: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, Phase, Fate]] = field(default_factory=Counter)
    """Writes by part, phase in which they were made and answered, and fate."""
    errors: Counter[str] = field(default_factory=Counter)
    """Errors by code."""
    trails: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What was sent and answered, by key."""

    stood_s: float = 0.0
    """For how long the event loop did not run at all, so that nothing could return."""
    _beat: float = field(default_factory=time.monotonic)

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        """Notice meanwhile when the event loop stands still."""

        async def beat() -> None:
            while True:
                self.note_beat()
                await asyncio.sleep(_BEAT_S)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def note_beat(self) -> None:
        """Note that the event loop runs."""
        now = time.monotonic()
        self.stood_s += max(0.0, now - self._beat - _LATE_S)
        self._beat = now

    def note(self, key: str, line: str) -> None:
        """Add a line to the trail of a key."""
        self.trails[key].append(f"{time.monotonic() - self.started:7.3f}s {line}")

    def accuse(self, key: str, what: str) -> None:
        """Note a broken promise, with the last that was sent and answered on the key."""
        trail = "\n".join(f"    {line}" for line in self.trails[key][-_TRAIL_LINES:])
        self.violations.append(f"{key}: {what}\n{trail}" if trail else f"{key}: {what}")

    def acknowledged(self, part: str, phase: Phase) -> int:
        """Return how many writes of a part were made and acknowledged in a phase."""
        return self.counts[part, phase, Fate.ACKNOWLEDGED]


@dataclass
class Caller:
    """Makes the calls of one part of the workload."""

    part: str
    execute: Execute
    book: Book
    pace: Pace
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex[:10])
    """What every key of this run begins with."""
    _last_us: int = 0

    def name(self, stem: str) -> str:
        """Return the text of a key that no other run uses."""
        return f"{self.prefix}-{self.part}-{stem}"

    def token(self) -> IdempotencyToken:
        """Return a new token, younger than every one before it."""
        self._last_us = max(time.time_ns() // 1_000, self._last_us + 1)
        return IdempotencyToken(self._last_us, uuid.uuid4().hex)

    async def write(
        self,
        operation: Operation[ResultT],
        keys: Sequence[str],
        what: Sequence[str],
        *,
        counts: bool = True,
    ) -> list[object]:
        """Send a batch; return what came of each item: its result, or its error.

        Args:
            operation: The batch.
            keys: The key of each item, for the trail.
            what: Each item in a few words, for the trail.
            counts: Whether what comes of it shows if the store serves.
        """
        made_in = self.book.phase
        for key, words in zip(keys, what, strict=True):
            self.book.note(key, f"-> {words}")
        got = await self._call(operation, keys[0])
        whole = isinstance(got, TauluError)
        outcomes = [got] * len(keys) if whole else list(getattr(got, "outcomes", ()))
        outcomes = [done.error if isinstance(done, Failed) else done for done in outcomes]
        if len(outcomes) != len(keys):
            self.book.accuse(keys[0], f"{len(keys)} items were sent, {len(outcomes)} answered")
            outcomes = [WriteOutcomeUnknown("no outcome came for this item")] * len(keys)
        phase = made_in if self.book.phase is made_in else Phase.ACROSS
        for key, words, outcome in zip(keys, what, outcomes, strict=True):
            self.book.note(key, f"<- {words}: {_shown(outcome)}")
            if counts:
                self.book.counts[self.part, phase, fate_of(outcome)] += 1
            self._judge(key, words, outcome)
        if {Fate.REFUSED, Fate.UNKNOWN} & set(map(fate_of, outcomes)):
            await asyncio.sleep(self.pace.setback_s)
        return outcomes

    async def read(self, operation: Operation[ResultT], key: str) -> ResultT | TauluError:
        """Send a read; return its result, or its error."""
        got = await self._call(operation, key)
        if isinstance(got, TauluError):
            self._judge(key, "read", got)
        return got

    async def read_surely(
        self, operation: Operation[ResultT], key: str, until: float
    ) -> ResultT | None:
        """Read until it succeeds; accuse and return None when it has not by a monotonic time."""
        while True:
            got = await self.read(operation, key)
            failed = got if isinstance(got, TauluError) else _failed_item(got)
            if failed is None:
                return got  # type: ignore[return-value]
            if time.monotonic() > until:
                self.book.accuse(key, f"it cannot be read: {failed!r}")
                return None
            await asyncio.sleep(0.1)

    async def _call(self, operation: Operation[ResultT], key: str) -> ResultT | TauluError:
        self.book.note_beat()
        made, stood_s = time.monotonic(), self.book.stood_s
        # Far longer than it may take, so that one that hangs is noticed, too.
        waiting = asyncio.timeout(self.pace.call_s + 10 * self.pace.grace_s)
        name = type(operation).__name__
        try:
            async with waiting:
                got = await self.execute(operation, Context(deadline=made + self.pace.call_s))
        except TauluError as error:
            got = error
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test looks for
            if not waiting.expired():
                self.book.accuse(key, f"{name} raised what is no TauluError: {error!r}")
            got = WriteOutcomeUnknown(f"{name} ended with {type(error).__name__}")
        self.book.note_beat()
        took_s = time.monotonic() - made - (self.book.stood_s - stood_s)
        if waiting.expired() or took_s > self.pace.call_s + self.pace.grace_s:
            self.book.accuse(
                key, f"{name} took {took_s:.1f} s with a deadline of {self.pace.call_s} s"
            )
        return got

    def _judge(self, key: str, words: str, outcome: object) -> None:
        if not isinstance(outcome, TauluError):
            return
        self.book.errors[outcome.code] += 1
        if outcome.group in {Group.CALLER, Group.FATAL}:
            self.book.accuse(key, f"{words} has an error that no fault explains: {outcome!r}")


def fate_of(outcome: object) -> Fate:
    """Return what an outcome tells the caller of its write."""
    if not isinstance(outcome, TauluError):
        return Fate.ACKNOWLEDGED
    match outcome.group:
        case Group.TRANSIENT:
            return Fate.REFUSED
        case Group.CONFLICT | Group.CALLER:
            return Fate.CONFLICT
        case _:
            return Fate.UNKNOWN


def fate_after(before: Fate, again: Fate) -> Fate:
    """Return what is known of a write after it was sent once more with its token."""
    if before is Fate.ACKNOWLEDGED:
        return before
    # That the second sending did nothing says nothing of the first.
    if before is Fate.UNKNOWN and again is Fate.REFUSED:
        return before
    return again


def _failed_item(result: object) -> TauluError | None:
    outcomes = getattr(result, "outcomes", ())
    return next((done.error for done in outcomes if isinstance(done, Failed)), None)


def _shown(outcome: object) -> str:
    if isinstance(outcome, TauluError):
        return f"{outcome.code} ({str(outcome)[:160]})"
    return str(outcome)
