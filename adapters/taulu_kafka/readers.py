"""A few threads, each with a consumer of its own, that read pages and look things up."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from taulu.model import DeadlineExceeded, Internal, Overloaded, TauluError, Unavailable
from taulu_kafka._driver import Config, Consumer, DriverError
from taulu_kafka.mapping import to_taulu

ResultT = TypeVar("ResultT")

_SLICE_S = 0.1
"""How long a thread waits before it looks whether anyone still wants what it is after."""
_ROUNDING_S = 0.002
"""The driver counts in whole milliseconds, and so gives up a little before the deadline."""


class Budget:
    """How long a piece of work may take, and whether anyone still waits for it."""

    def __init__(
        self,
        deadline: float,
        is_wanted: Callable[[], bool],
        monotonic: Callable[[], float],
        is_closed: threading.Event,
    ) -> None:
        self._is_closed = is_closed
        self._deadline = deadline
        self._is_wanted = is_wanted
        self._monotonic = monotonic

    def slice_s(self) -> float:
        """Return how long to wait for something next.

        Raises:
            DeadlineExceeded: Time is up, or no one waits any more.
        """
        return min(self.left_s(), _SLICE_S)

    def rest(self, seconds: float) -> None:
        """Wait before something is tried again; raises `DeadlineExceeded` as `slice_s` does."""
        self._is_closed.wait(min(self.left_s(), seconds))

    def left_s(self) -> float:
        """Return how much time is left; raises `DeadlineExceeded` as `slice_s` does."""
        left_s = self._deadline - self._monotonic()
        if left_s <= 0 or not self._is_wanted():
            raise _too_late()
        return left_s


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded(
        "Kafka did not answer before the deadline; allow more time or ask for less"
    )


Work: TypeAlias = Callable[[Consumer, Budget], ResultT]


@dataclass(frozen=True, slots=True)
class _Job:
    """Work, and who waits for it."""

    work: Work[Any]
    deadline: float
    result: asyncio.Future[Any]


class Readers:
    """Runs work that blocks on a consumer, beside the event loop."""

    def __init__(
        self, config: Config, count: int, queue_max: int, monotonic: Callable[[], float]
    ) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._monotonic = monotonic
        self._queue_max = queue_max
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._is_closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"taulu-kafka-reader-{n}", daemon=True)
            for n in range(count)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    async def run(self, work: Work[ResultT], deadline: float) -> ResultT:
        """Do a piece of work, and return what it returns.

        Raises:
            Overloaded: Too much waits already.
            DeadlineExceeded: It was not done by the deadline, on the monotonic clock.
        """
        if self._is_closed.is_set():
            raise Unavailable("the adapter is closed")
        if self._waiting >= self._queue_max:
            raise Overloaded(
                f"{self._queue_max} reads already wait for Kafka (read_queue_max); read again "
                "later",
                details={"limit": "read_queue_max", "value": str(self._queue_max)},
                retry_after_s=0.1,
            )
        result: asyncio.Future[ResultT] = self._loop.create_future()
        self._jobs.put(_Job(work, deadline, result))
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline - self._monotonic()):
                return await result
        except TimeoutError as error:
            raise _too_late() from error
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        """End the threads; what waits is refused. Blocks."""
        self._is_closed.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        consumer = Consumer(self._config)
        while (job := self._jobs.get()) is not None:
            self._do(consumer, job)
        consumer.close()

    def _do(self, consumer: Consumer, job: _Job) -> None:
        budget = Budget(
            job.deadline,
            lambda: not (job.result.done() or self._is_closed.is_set()),
            self._monotonic,
            self._is_closed,
        )
        try:
            budget.left_s()
            done = job.work(consumer, budget)
        except TauluError as error:
            self._tell(job.result, error, None)
        except DriverError as error:
            is_late = self._monotonic() + _ROUNDING_S >= job.deadline
            told = _too_late() if is_late else to_taulu(error, "the cluster")
            self._tell(job.result, told, None)
        except Exception as error:  # noqa: BLE001 - the thread must outlive a defect, and its caller hear of it
            self._tell(job.result, Internal(f"{type(error).__name__} while reading: {error}"), None)
        else:
            self._tell(job.result, None, done)
        finally:
            with contextlib.suppress(DriverError):
                consumer.unassign()

    def _tell(self, result: asyncio.Future[Any], error: TauluError | None, done: object) -> None:
        self._loop.call_soon_threadsafe(_settle, result, error, done)


def _settle(result: asyncio.Future[Any], error: TauluError | None, done: object) -> None:
    if result.done():
        return
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(done)
