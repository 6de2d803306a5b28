"""The server's first process: it starts the workers, watches over them, and ends them."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import cast

from taulu.model.errors import ERRORS_BY_CODE, Internal, TauluError, Unavailable
from taulu.server.worker import WorkerOptions, run_worker
from taulu.telemetry import configure_logs

_log = logging.getLogger(__name__)

START_S_MAX = 180.0
"""How long a worker may take to serve, besides the `start_wait` that it has for backends."""
RESTARTS_MAX = 5
"""How many workers may be replaced within `RESTARTS_WINDOW_S` before the server gives up."""
RESTARTS_WINDOW_S = 60.0
START_AGAIN_S = 5.0
"""How long after a worker could not be replaced that is tried again."""
KILL_AFTER_S = 5.0
"""How long after the drain a worker is killed."""
_POLL_S = 0.2


@dataclass(slots=True)
class _Worker:
    number: int
    """Which worker it is, from 0; one that replaces another has its number."""
    process: SpawnProcess
    pipe: Connection
    """Readable when the worker has said something, or is gone."""


@dataclass(slots=True)
class Supervisor:
    """Keeps a number of workers running until it is told to stop.

    Workers are spawned, not forked: gRPC's threads do not survive a fork. The first worker
    starts alone, so that storage is created, and errors are found, once; the others, and those
    that replace a worker, create none.
    """

    options: WorkerOptions
    count: int
    clock: Callable[[], float] = time.monotonic
    _workers: list[_Worker] = field(default_factory=list[_Worker])
    _stopping: bool = False
    _restarts: list[float] = field(default_factory=list[float])
    _start_again: float = 0.0
    """When workers that are missing may be started again, on the clock."""

    def run(self, ready: Callable[[], None]) -> int:
        """Start the workers, call `ready`, and return the exit code when all have ended.

        Raises:
            TauluError: What kept a worker from starting; the others have been ended.
        """
        configure_logs(self.options.log_level, as_json=self.options.log_json)
        previous = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self._start(1, is_first=True)
            self._start(self.count - 1)
            if not self._stopping:
                ready()
            return self._watch()
        finally:
            self._end(list(self._workers))
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True

    def _start(self, count: int, *, is_first: bool = False) -> None:
        """Start some workers at once and wait until all of them serve."""
        context = multiprocessing.get_context("spawn")
        started: list[_Worker] = []
        for number in self._free_numbers(count):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=run_worker, args=(self.options, number, theirs, is_first)
            )
            try:
                process.start()
            except OSError as error:
                ours.close()
                theirs.close()
                raise Unavailable(
                    f"no process can be started for a worker: {error}; see how many processes "
                    "and how much memory the server may have"
                ) from error
            theirs.close()
            worker = _Worker(number, process, ours)
            started.append(worker)
            self._workers.append(worker)
        for worker in started:
            self._await_ready(worker)

    def _free_numbers(self, count: int) -> list[int]:
        taken = {worker.number for worker in self._workers}
        return [number for number in range(self.count) if number not in taken][:count]

    def _await_ready(self, worker: _Worker) -> None:
        within_s = START_S_MAX + self.options.gateway.start_wait_s
        give_up = self.clock() + within_s
        while not worker.pipe.poll(_POLL_S):
            if self._stopping:
                return
            if self.clock() > give_up:
                raise Unavailable(f"a worker did not serve within {within_s:g} s; see its log")
        try:
            problem = cast("tuple[str, str] | None", worker.pipe.recv())
        except EOFError:
            raise Internal("a worker ended before it served; see its log") from None
        if problem is not None:
            code, message = problem
            raise ERRORS_BY_CODE[code](message)

    def _watch(self) -> int:
        while not self._stopping:
            gone = wait([worker.process.sentinel for worker in self._workers], timeout=_POLL_S)
            if gone and not self._stopping and not self._bury_ended():
                return 1
            missing = self.count - len(self._workers)
            is_time = not self._workers or self.clock() >= self._start_again
            if missing and is_time and not self._stopping:
                self._replace(missing)
        return 0

    def _bury_ended(self) -> bool:
        """Let go of workers that ended by themselves; say no when that happens too often."""
        ended = [worker for worker in self._workers if not worker.process.is_alive()]
        for worker in ended:
            _log.error(
                "worker ended with code %s; starting another",
                worker.process.exitcode,
                extra={"pid": worker.process.pid},
            )
            worker.pipe.close()
            self._workers.remove(worker)
        now = self.clock()
        self._restarts = [at for at in self._restarts if now - at < RESTARTS_WINDOW_S]
        self._restarts += [now] * len(ended)
        if len(self._restarts) > RESTARTS_MAX:
            _log.error(
                "%d workers ended within %g s; giving up", len(self._restarts), RESTARTS_WINDOW_S
            )
            return False
        return True

    def _replace(self, missing: int) -> None:
        """Start workers for those that ended; later again, if one cannot start while others serve.

        A worker that starts needs all its backends, and one that serves can do without some: the
        loss of a worker while a backend is away must not end the others too.

        Raises:
            TauluError: What kept a worker from starting, where no other serves.
        """
        serving = {worker.number for worker in self._workers}
        try:
            self._start(missing)
        except TauluError as error:
            if not serving:
                raise
            _log.error(
                "no worker could be started for one that ended; trying again in %g s: %s",
                START_AGAIN_S,
                error.message,
            )
            self._end([worker for worker in self._workers if worker.number not in serving])
            self._start_again = self.clock() + START_AGAIN_S

    def _end(self, workers: Sequence[_Worker]) -> None:
        """Ask workers to drain, and kill by pid the ones that do not end in time."""
        for worker in workers:
            if worker.process.is_alive():
                worker.process.terminate()
        give_up = self.clock() + self.options.drain_s + KILL_AFTER_S
        for worker in workers:
            worker.process.join(max(0.0, give_up - self.clock()))
            if worker.process.is_alive():
                _log.error("worker did not end; killing it", extra={"pid": worker.process.pid})
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
            self._workers.remove(worker)
