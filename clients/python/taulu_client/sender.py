"""Sending operations: the session, retries, and large batches in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from taulu.codec import Session as Seen
from taulu.codec import session_token
from taulu.model.consistency import Consistency, Facts
from taulu.model.errors import TauluError, WriteOutcomeUnknown
from taulu.model.operation import Operation, WriteUnit
from taulu.model.result import Failed
from taulu_client.catalog import Catalog
from taulu_client.options import ClientOptions
from taulu_client.remote import RemoteHandler
from taulu_client.retry import Deadline, Retrier, may_retry
from taulu_client.rpc import Rpc
from taulu_client.shape import Shape

ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")
ResultT = TypeVar("ResultT")

REQUEST_OVERHEAD_BYTES = 4 * 1024
"""What a request holds besides its items, at most."""

OnWritten = Callable[[Sequence[WriteUnit]], None]

Attempt = Callable[[Sequence[ItemT], float], Awaitable[Sequence[OutcomeT]]]
"""Sends some items within some seconds; returns one outcome each, in order."""


@dataclass(slots=True)
class Session:
    """What the client has written or seen."""

    version: int = 0
    """The highest version."""
    time_us: int = 0
    """The time from which on every read of a cached table shows it."""

    def see(self, facts: Facts) -> None:
        """Remember what a reply showed."""
        self.version = max(self.version, facts.version)
        self.time_us = max(self.time_us, facts.session_us)

    def resume(self, seen: Seen) -> None:
        """Begin with what another client has written or seen."""
        self.version, self.time_us = seen

    @property
    def token(self) -> str:
        """The session token, to be handed to another client; empty at first."""
        return session_token(self.version, self.time_us) if self.version else ""


@dataclass(frozen=True, slots=True)
class Chunking:
    """How large one request may be."""

    items_max: int
    bytes_max: int


@dataclass(slots=True)
class Sender:
    """What the tables of one client share."""

    rpc: Rpc
    options: ClientOptions
    timeout_s: float
    catalog: Catalog
    remote: RemoteHandler = field(init=False)
    retrier: Retrier = field(init=False)
    session: Session = field(default_factory=Session)
    listeners: dict[str, OnWritten] = field(default_factory=dict[str, "OnWritten"])
    """By table: told of what this client wrote, before the write returns."""

    def __post_init__(self) -> None:
        self.remote = RemoteHandler(self.rpc)
        self.retrier = Retrier(self.options.retry, self.options.attempt_timeout_s)

    def consistency(self, asked: Consistency) -> Consistency:
        """Return what is asked, with what this client has seen."""
        return replace(
            asked,
            session_version=max(self.session.version, asked.session_version),
            session_us=max(self.session.time_us, asked.session_us),
        )

    def tell_written(self, table: str, units: Sequence[WriteUnit]) -> None:
        """Tell what was, or may have been, written to a table."""
        told = self.listeners.get(table)
        if told is not None:
            told(units)

    async def shape(self, table: str) -> Shape:
        """Return the shape of a table.

        Raises:
            UnknownTable: The gateway serves no such table.
        """
        return await self.catalog.shape(table)

    async def send(self, operation: Operation[ResultT]) -> ResultT:
        """Send an operation until it succeeds or fails for good."""
        return await self.retrier.call(
            lambda left_s: self.remote.execute(operation, left_s), Deadline.after(self.timeout_s)
        )

    async def send_all(
        self,
        items: Sequence[ItemT],
        sizes: Sequence[int],
        chunking: Chunking,
        attempt: Attempt[ItemT, OutcomeT],
    ) -> list[OutcomeT | Failed]:
        """Send a batch of any size; one outcome per item, in order.

        Each piece has the whole time of a call. A piece that fails as a whole gives each of
        its items that failure, so that the others keep their outcomes.
        """
        gate = asyncio.Semaphore(self.options.chunks_at_once)

        async def send(piece: slice) -> list[OutcomeT | Failed]:
            async with gate:
                return await self._send_piece(items[piece], attempt)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send(piece)) for piece in split(sizes, chunking)]
        return [outcome for task in tasks for outcome in task.result()]

    async def _send_piece(
        self, items: Sequence[ItemT], attempt: Attempt[ItemT, OutcomeT]
    ) -> list[OutcomeT | Failed]:
        deadline = Deadline.after(self.timeout_s)
        outcomes: list[OutcomeT | Failed] = []
        waiting = list(range(len(items)))
        for number in range(1, self.options.retry.attempts_max + 1):
            sent = [items[at] for at in waiting]
            try:
                got: Sequence[OutcomeT | Failed] = await self.retrier.call(
                    lambda left_s, sent=sent: attempt(sent, left_s), deadline
                )
            except TauluError as error:
                got = [Failed(error)] * len(sent)
                number = self.options.retry.attempts_max  # noqa: PLW2901 - it was retried already
            outcomes = _settle(outcomes, waiting, got)
            failed = [(at, o.error) for at in waiting if isinstance(o := outcomes[at], Failed)]
            again = [(at, error) for at, error in failed if may_retry(error)]
            if not again or not await self.retrier.wait(number, again[0][1], deadline):
                break
            waiting = [at for at, _ in again]
        return outcomes


def _settle(
    outcomes: list[OutcomeT | Failed], places: list[int], got: Sequence[OutcomeT | Failed]
) -> list[OutcomeT | Failed]:
    """Put outcomes in their places; an item whose fate was unknown stays so until it is settled."""
    if not outcomes:
        return list(got)
    for at, outcome in zip(places, got, strict=True):
        before = outcomes[at]
        doubted = isinstance(before, Failed) and isinstance(before.error, WriteOutcomeUnknown)
        if doubted and isinstance(outcome, Failed) and may_retry(outcome.error):
            continue
        outcomes[at] = outcome
    return outcomes


def split(sizes: Sequence[int], chunking: Chunking) -> list[slice]:
    """Return the pieces of a batch, in order, each within the limits.

    One item that is too large for any request stands alone, for the gateway to refuse.
    """
    pieces: list[slice] = []
    start, total = 0, 0
    for at, size in enumerate(sizes):
        is_full = at - start >= chunking.items_max or total + size > chunking.bytes_max
        if at > start and is_full:
            pieces.append(slice(start, at))
            start, total = at, 0
        total += size
    if sizes:
        pieces.append(slice(start, len(sizes)))
    return pieces
