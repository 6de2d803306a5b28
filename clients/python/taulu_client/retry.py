"""Sending again: when it is right, how long to wait, and when to stop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from taulu.model.errors import (
    DeadlineExceeded,
    TauluError,
    TransientError,
    UncertainError,
    WriteOutcomeUnknown,
)
from taulu_client.options import RetryOptions

ResultT = TypeVar("ResultT")

_LEFT_S_MIN = 0.001
"""With less time than this, an attempt is not made."""


def may_retry(error: TauluError) -> bool:
    """Return whether sending the same thing again, with the same token, is right."""
    return isinstance(error, TransientError | UncertainError)


@dataclass(slots=True)
class RetryBudget:
    """How many retries all calls of a client may still spend.

    When a gateway is down, every caller retrying every call would multiply its load just when
    it comes back; a budget that only successes refill keeps retries a small share of calls.
    """

    options: RetryOptions
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.options.budget

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def earn(self) -> None:
        """Count a success."""
        self.left = min(self.options.budget, self.left + self.options.budget_per_success)


@dataclass(slots=True)
class Deadline:
    """When the caller stops waiting, over all attempts."""

    end: float

    @classmethod
    def after(cls, timeout_s: float) -> Deadline:
        """Return the deadline of a call that begins now."""
        return cls(time.monotonic() + timeout_s)

    def left_s(self) -> float:
        """Return how much time is left, in seconds; below zero when it has passed."""
        return self.end - time.monotonic()


@dataclass(slots=True)
class Retrier:
    """Runs attempts until one succeeds, fails for good, or time or budget run out."""

    options: RetryOptions
    attempt_timeout_s: float | None = None
    random: random.Random = field(default_factory=random.Random)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    budget: RetryBudget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = RetryBudget(self.options)

    async def call(
        self, attempt: Callable[[float], Awaitable[ResultT]], deadline: Deadline
    ) -> ResultT:
        """Return the result of the first attempt that succeeds.

        Args:
            attempt: Makes one attempt within the seconds that it is given.
            deadline: Of all attempts together.

        Raises:
            WriteOutcomeUnknown: An attempt may have taken effect, and none settled it.
            TauluError: The last attempt's error.
        """
        unknown: WriteOutcomeUnknown | None = None
        failed: TauluError | None = None
        for number in range(1, self.options.attempts_max + 1):
            if failed is not None and deadline.left_s() < _LEFT_S_MIN:
                # The wait took longer than it was to: what the attempts met says more than that.
                raise unknown or failed
            try:
                result = await attempt(self._timeout_s(deadline))
            except TauluError as error:
                failed = error
                if isinstance(error, WriteOutcomeUnknown):
                    unknown = error
                if may_retry(error) and await self.wait(number, error, deadline):
                    continue
                if unknown is not None and may_retry(error):
                    raise unknown from error
                raise
            self.budget.earn()
            return result
        raise AssertionError("the last attempt either returns or raises")

    async def wait(self, number: int, error: TauluError, deadline: Deadline) -> bool:
        """Wait before another attempt; False when there is to be none.

        Args:
            number: How many attempts were made, from 1.
            error: What the last one failed with; its hint is waited for at least.
            deadline: An attempt that could not begin before it is not waited for.
        """
        if number >= self.options.attempts_max:
            return False
        delay_s = min(self.options.delay_s * 2 ** (number - 1), self.options.delay_s_max)
        delay_s *= 0.5 + self.random.random() / 2
        delay_s = max(delay_s, error.retry_after_s or 0.0)
        if deadline.left_s() - delay_s < _LEFT_S_MIN or not self.budget.spend():
            return False
        await self.sleep(delay_s)
        return True

    def _timeout_s(self, deadline: Deadline) -> float:
        left_s = deadline.left_s()
        if left_s < _LEFT_S_MIN:
            raise DeadlineExceeded("the time for the call was over before it was sent")
        return left_s if self.attempt_timeout_s is None else min(left_s, self.attempt_timeout_s)


@dataclass(slots=True)
class Reopening:
    """When a stream that breaks is opened again, and when it has been broken for too long.

    Its time begins when it breaks: a stream may have been silent for hours before, and its
    reader may have taken as long over what came last.
    """

    retrier: Retrier
    timeout_s: float
    _number: int = 0
    _deadline: Deadline = field(default_factory=lambda: Deadline(0.0))

    def progressed(self) -> None:
        """Note that the stream is whole: something came."""
        self._number = 0

    async def wait(self, error: TauluError) -> bool:
        """Wait before the stream is opened again; False when there is to be no more of it."""
        if self._number == 0:
            self._deadline = Deadline.after(self.timeout_s)
        self._number += 1
        return await self.retrier.wait(self._number, error, self._deadline)
