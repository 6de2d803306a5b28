"""Requests within their deadlines: how often they are sent, and how many at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from taulu.model import Clock, DeadlineExceeded, Unavailable
from taulu_cassandra._driver import (
    Bound,
    ConnectionException,
    CqlRow,
    Native,
    OperationTimedOut,
    ReadTimeout,
    Session,
    WriteTimeout,
)
from taulu_cassandra.mapping import (
    DRIVER_ERRORS,
    certain_step_error,
    certain_write_error,
    outcome_unknown,
    read_error,
)

_ATTEMPTS_MAX = 8
_REST_S = 0.02
_REST_S_MAX = 0.5
_MARGIN_S = 0.02
"""Kept back from each deadline, so that the answer still reaches the caller."""

_WORTH_ANOTHER_NODE = (OperationTimedOut, ReadTimeout, WriteTimeout, ConnectionException)


class OutcomeUnclearError(Exception):
    """A conditional batch may have been applied, now or later; a serial read can tell."""


@dataclass(frozen=True, slots=True)
class Call:
    """For which table a request is made, and until when its answer is of use."""

    table: str
    deadline: float


class Calls:
    """Sends requests of one session."""

    def __init__(
        self, session: Session, clock: Clock, requests_max: int, request_timeout_s: float
    ) -> None:
        self.clock = clock
        self._session = session
        self._slots = asyncio.Semaphore(requests_max)
        self._request_timeout_s = request_timeout_s

    def left_s(self, call: Call) -> float:
        """Return how much time a call has left, in seconds."""
        return call.deadline - _MARGIN_S - self.clock.monotonic()

    async def rest(self, call: Call, attempt: int) -> None:
        """Wait a random while, longer with each attempt, never past the deadline."""
        longest = min(_REST_S_MAX, _REST_S * 2**attempt)
        rest_s = random.uniform(0, longest)  # noqa: S311 - it only keeps callers apart
        await asyncio.sleep(max(0.0, min(rest_s, self.left_s(call))))

    async def read(self, bound: Bound, level: Native, call: Call) -> list[CqlRow]:
        """Read, from another node when one does not answer.

        Raises:
            DeadlineExceeded: There was no answer in time.
            Unavailable: Too few replicas are up, or no node can be reached.
        """
        for attempt in range(_ATTEMPTS_MAX):
            try:
                async with self._slot(call) as timeout_s:
                    return await self._session.execute(bound, level, timeout_s)
            except DRIVER_ERRORS as error:
                last = attempt == _ATTEMPTS_MAX - 1
                if last or not isinstance(error, _WORTH_ANOTHER_NODE) or self.left_s(call) <= 0:
                    raise read_error(error, call.table) from error
            await self.rest(call, attempt)
        raise AssertionError("the last attempt returns or raises")

    async def write(self, batch: Sequence[Bound], level: Native, call: Call) -> None:
        """Write plainly. Sending again is safe, since every cell has a timestamp of its own.

        Raises:
            Unavailable: Nothing was written.
            WriteOutcomeUnknown: It may have been written, by some replicas or by all.
        """
        unclear: Exception | None = None
        for attempt in range(_ATTEMPTS_MAX):
            try:
                async with self._slot(call) as timeout_s:
                    await self._session.execute_batch(batch, level, timeout_s)
                    return
            except DRIVER_ERRORS as error:
                certain = certain_write_error(error, call.table)
                if certain is not None and unclear is None:
                    raise certain from error
                unclear = error
                if not isinstance(error, _WORTH_ANOTHER_NODE) or self.left_s(call) <= 0:
                    break
            except (DeadlineExceeded, Unavailable) as error:
                if unclear is None:
                    raise self._not_sent(call) from error
                break
            await self.rest(call, attempt)
        reason = type(unclear).__name__
        raise outcome_unknown(call.table, reason) from unclear

    async def compare_and_set(
        self, batch: Sequence[Bound], levels: tuple[Native, Native], call: Call
    ) -> bool:
        """Send a conditional batch once; return whether its condition held.

        Raises:
            OutcomeUnclearError: It may have been applied, or may yet be.
            Unavailable: Nothing was written.
        """
        try:
            async with self._slot(call) as timeout_s:
                return await self._session.execute_conditional(batch, levels, timeout_s)
        except DRIVER_ERRORS as error:
            certain = certain_step_error(error, call.table)
            if certain is not None:
                raise certain from error
            raise OutcomeUnclearError from error
        except DeadlineExceeded as error:
            raise self._not_sent(call) from error

    @asynccontextmanager
    async def _slot(self, call: Call) -> AsyncGenerator[float]:
        """Wait for leave to send; yields how long the answer may take."""
        left_s = self.left_s(call)
        try:
            if left_s <= 0:
                raise TimeoutError
            await asyncio.wait_for(self._slots.acquire(), left_s)
        except TimeoutError:
            raise DeadlineExceeded(
                f"table {call.table}: the deadline passed before the request was sent; give it "
                "more time, or send less at once",
                details={"table": call.table},
            ) from None
        try:
            yield max(_MARGIN_S, min(self._request_timeout_s, self.left_s(call)))
        finally:
            self._slots.release()

    def _not_sent(self, call: Call) -> Unavailable:
        return Unavailable(
            f"table {call.table}: the deadline passed before the write was sent; nothing was "
            "written",
            details={"table": call.table},
        )
