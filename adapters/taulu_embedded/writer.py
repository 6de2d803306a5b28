"""The one thread that writes: it takes what waits and commits it as one group.

One sync of the disk then serves every write that came in during the one before. Each item
runs in a savepoint of its own, so one that fails leaves nothing behind and the others stand.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from taulu.model import (
    Clock,
    DeadlineExceeded,
    Failed,
    Overloaded,
    TauluError,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_embedded import statements
from taulu_embedded._driver import BusyError, Connection, DriverError, FullError
from taulu_embedded.mapping import internal, to_taulu
from taulu_embedded.presence import Presence
from taulu_embedded.transaction import Transaction
from taulu_embedded.turn import Turn

ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")

_OVERLOAD_RETRY_S = 0.1


@dataclass(slots=True)
class _Job(Generic[ItemT, OutcomeT]):
    """Items to be applied in order, and who waits for their outcomes."""

    apply: Callable[[Transaction, ItemT], OutcomeT]
    items: Sequence[ItemT]
    deadline: float
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[list[OutcomeT | Failed]]

    def settle(self, result: list[OutcomeT | Failed] | TauluError) -> None:
        """Hand the result over, on the waiter's own loop."""
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self._hand_over, result)

    def _hand_over(self, result: list[OutcomeT | Failed] | TauluError) -> None:
        if self.waiter.done():
            return
        if isinstance(result, TauluError):
            self.waiter.set_exception(result)
        else:
            self.waiter.set_result(result)


_AnyJob = _Job[Any, Any]


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """Limits of the writer; see `EmbeddedSettings`."""

    path: Path
    batch_max: int
    queue_max: int


class Writer:
    """Owns the writing connection and its thread, from `start` to `stop`."""

    def __init__(
        self, connection: Connection, turn: Turn, clock: Clock, options: WriterOptions
    ) -> None:
        self._connection = connection
        self._turn = turn
        self._clock = clock
        self._options = options
        self._presence = Presence.of(options.path)
        self._queue: queue.Queue[_AnyJob | None] = queue.Queue(options.queue_max)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="taulu-embedded-writer")

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end the thread and close the connection. It blocks."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join()
        self._connection.close()
        self._turn.close()

    async def apply(
        self,
        apply: Callable[[Transaction, ItemT], OutcomeT],
        items: Sequence[ItemT],
        deadline: float,
    ) -> list[OutcomeT | Failed]:
        """Apply items in one commit; return when it is durable, with one outcome per item.

        Raises:
            Overloaded: Too many writes wait already; nothing was done.
            TauluError: The whole commit failed.
        """
        if self._stopping:
            raise Unavailable(f"{self._options.path} is being closed; send the request again")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[list[OutcomeT | Failed]] = loop.create_future()
        try:
            self._queue.put_nowait(_Job(apply, items, deadline, loop, waiter))
        except queue.Full:
            raise Overloaded(
                f"{self._options.queue_max} writes wait for {self._options.path} already "
                "(write_queue_max); send the request again later",
                details={"limit": "write_queue_max", "value": str(self._options.queue_max)},
                retry_after_s=_OVERLOAD_RETRY_S,
            ) from None
        return await waiter

    def _run(self) -> None:
        while True:
            jobs, is_last = self._take()
            wanted = [job for job in jobs if self._is_wanted(job)]
            if wanted:
                self._commit(wanted)
            if is_last:
                return

    def _take(self) -> tuple[list[_AnyJob], bool]:
        """Wait for a job; return it with those behind it, and whether the end has come."""
        jobs: list[_AnyJob] = []
        job = self._queue.get()
        weight = 0
        while job is not None:
            jobs.append(job)
            weight += len(job.items)
            if weight >= self._options.batch_max:
                return jobs, False
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _is_wanted(self, job: _AnyJob) -> bool:
        """Refuse a job that no one waits for any more; nothing of it was done."""
        if job.waiter.cancelled():
            return False
        if self._clock.monotonic() < job.deadline:
            return True
        job.settle(
            DeadlineExceeded(
                f"the write waited for {self._options.path} until its deadline had passed; "
                "nothing was written; give it more time, or send less"
            )
        )
        return False

    def _commit(self, jobs: list[_AnyJob]) -> None:
        results: list[list[object]] | TauluError
        try:
            results = self._apply_all(jobs)
        except DriverError as error:
            results = to_taulu(error, self._options.path)
        except Exception as error:  # noqa: BLE001 - the thread must live on, whatever it is
            results = internal(error)
        if isinstance(results, TauluError):
            self._roll_back()
            for job in jobs:
                job.settle(results)
            return
        for job, outcomes in zip(jobs, results, strict=True):
            job.settle(cast("list[Any]", outcomes))

    def _apply_all(self, jobs: list[_AnyJob]) -> list[list[object]]:
        with self._turn.taken() as wait_for:
            wait_for(self._try_begin)
        transaction = Transaction(self._connection, self._clock.now_us())
        results = [[self._apply_one(transaction, job, item) for item in job.items] for job in jobs]
        transaction.store_clock()
        self._presence.check()
        try:
            self._connection.execute(statements.COMMIT)
        except FullError:
            raise
        except DriverError as error:
            # A commit that was cut off while it was synced may be found by the next recovery.
            raise WriteOutcomeUnknown(
                f"{self._options.path} failed while a write was made durable (SQLite: {error}); "
                "send it again with its token",
                details={"file": str(self._options.path)},
            ) from error
        return results

    def _try_begin(self) -> bool:
        try:
            self._connection.execute(statements.BEGIN_WRITE)
        except BusyError:
            return False
        return True

    def _apply_one(self, transaction: Transaction, job: _AnyJob, item: object) -> object:
        self._connection.execute(statements.ITEM_BEGIN)
        try:
            outcome = job.apply(transaction, item)
        except Exception as error:
            # Some errors, a full disk for one, end the whole transaction: then all of it failed.
            if not self._connection.in_transaction():
                raise
            if isinstance(error, DriverError):
                outcome = Failed(to_taulu(error, self._options.path))
            else:
                outcome = Failed(internal(error))
            self._connection.execute(statements.ITEM_UNDO)
        self._connection.execute(statements.ITEM_KEEP)
        return outcome

    def _roll_back(self) -> None:
        if self._connection.in_transaction():
            self._connection.execute(statements.ROLLBACK)
