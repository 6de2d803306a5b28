"""The deciders at work: batches handed out, deciders killed and replaced, nothing forgotten.

A claim's three copies go to three different deciders. A batch is kept until its decider says
that every claim of it is settled; when the decider dies first, its successor gets it again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from taulu_refunds.claims import Delivery, delivery_to_json
from taulu_refunds.failure import JobError

BATCH_DELIVERIES = 25
_IN_FLIGHT = 2
_STOP_S_MAX = 20.0
_TROUBLED_SHARE = 0.6
_LOOK_S = 0.05
_LOOKS_MAX = 600
_FAILURES_MAX = 3
"""How often deciders may end by themselves before the job gives up."""


@dataclass(slots=True)
class Tally:
    """What happened while the deciders worked."""

    sent: int = 0
    """Deliveries handed to a decider, those handed over again included."""
    killed_deciders: int = 0
    killed_gateways: int = 0
    resent_batches: int = 0
    ended_by_themselves: int = 0


@dataclass(slots=True)
class _Worker:
    """One place for a decider, whoever holds it."""

    waiting: deque[int]
    process: asyncio.subprocess.Process | None = None
    in_flight: set[int] = field(default_factory=set[int])
    doomed: bool = False
    """Whether its present decider was killed on purpose."""


@dataclass(slots=True)
class Foreman:
    """Runs the deciders over one stream of deliveries.

    Args:
        address: The gateway.
        decider_count: How many deciders work at once.
        kills: How many of them are killed, one after another.
        seed: Decides who is killed.
        kill_gateway: Kills the gateway and starts it again, called when half is done.
        progress: Told how many deliveries are done.
    """

    address: str
    decider_count: int
    kills: int
    seed: int
    kill_gateway: Callable[[], Awaitable[None]]
    progress: Callable[[int], None]
    tally: Tally = field(default_factory=Tally)
    _batches: list[list[Delivery]] = field(default_factory=list[list[Delivery]])
    _workers: list[_Worker] = field(default_factory=list[_Worker])
    _done: int = 0
    _advanced: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, deliveries: Sequence[Delivery]) -> Tally:
        """Hand out every delivery until all are decided; every process is ended at the end.

        Raises:
            JobError: Deciders kept ending by themselves.
        """
        self._deal(deliveries)
        rng = np.random.default_rng([self.seed, len(self._batches)])
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._workers:
                    group.create_task(self._keep_working(worker))
                group.create_task(self._trouble(rng))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        finally:
            for worker in self._workers:
                await _end(worker)
        return self.tally

    def _deal(self, deliveries: Sequence[Delivery]) -> None:
        """Cut the stream into batches, each for one decider, in the order of business time."""
        hands: list[list[Delivery]] = [[] for _ in range(self.decider_count)]
        self._workers = [_Worker(deque()) for _ in hands]

        def close(at: int) -> None:
            if hands[at]:
                self._workers[at].waiting.append(len(self._batches))
                self._batches.append(hands[at])
                hands[at] = []

        for delivery in deliveries:
            spread = zlib.crc32(delivery.claim.claim_id.encode()) + delivery.copy
            at = spread % self.decider_count
            hands[at].append(delivery)
            if len(hands[at]) == BATCH_DELIVERIES:
                close(at)
        for at in range(self.decider_count):
            close(at)

    async def _keep_working(self, worker: _Worker) -> None:
        """Keep one place filled until its batches are done."""
        while worker.waiting or worker.in_flight:
            again = sorted(worker.in_flight)
            self.tally.resent_batches += len(again)
            worker.waiting.extendleft(reversed(again))
            worker.in_flight.clear()
            worker.doomed = False
            worker.process = await self._start()
            await self._feed(worker, worker.process)
            if (worker.waiting or worker.in_flight) and not worker.doomed:
                self._count_failure()
        await _end(worker)

    def _count_failure(self) -> None:
        self.tally.ended_by_themselves += 1
        if self.tally.ended_by_themselves > _FAILURES_MAX:
            raise JobError("deciders keep ending by themselves; what they wrote stands above")

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "taulu_refunds",
            "decide",
            "--address",
            self.address,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def _feed(self, worker: _Worker, process: asyncio.subprocess.Process) -> None:
        """Hand batches over and take word of them, until there are none or the decider is gone."""
        assert process.stdin is not None  # noqa: S101 - it was asked for
        assert process.stdout is not None  # noqa: S101 - it was asked for
        while worker.waiting or worker.in_flight:
            while worker.waiting and len(worker.in_flight) < _IN_FLIGHT:
                number = worker.waiting.popleft()
                worker.in_flight.add(number)
                self.tally.sent += len(self._batches[number])
                process.stdin.write(self._line(number))
            try:
                await process.stdin.drain()
            except ConnectionError:
                return
            line = await process.stdout.readline()
            if not line:
                return
            number = int(json.loads(line)["batch"])
            worker.in_flight.discard(number)
            async with self._advanced:
                self._done += len(self._batches[number])
                self._advanced.notify_all()
            self.progress(self._done)

    def _line(self, number: int) -> bytes:
        fields = [delivery_to_json(delivery) for delivery in self._batches[number]]
        return json.dumps({"batch": number, "deliveries": fields}).encode() + b"\n"

    async def _trouble(self, rng: np.random.Generator) -> None:
        """Kill deciders, and the gateway once, at even distances of the work done.

        The last part of the work is left in peace, so that a kill which had to wait for a
        decider to be at work still finds one.
        """
        total = sum(len(batch) for batch in self._batches) * _TROUBLED_SHARE
        moments = [int(total * (n + 1) / (self.kills + 1)) for n in range(self.kills + 1)]
        gateway_at = len(moments) // 2
        for at, moment in enumerate(moments):
            await self._reached(moment)
            await asyncio.sleep(float(rng.uniform(0, 0.05)))
            if at == gateway_at:
                await self.kill_gateway()
                self.tally.killed_gateways += 1
            else:
                await self._kill_one(rng)

    async def _reached(self, moment: int) -> None:
        async with self._advanced:
            await self._advanced.wait_for(lambda: self._done >= moment)

    async def _kill_one(self, rng: np.random.Generator) -> None:
        """Kill a decider that is at work; one that is just being replaced is waited for."""
        for _ in range(_LOOKS_MAX):
            busy = [worker for worker in self._workers if _is_busy(worker)]
            if busy:
                break
            await asyncio.sleep(_LOOK_S)
        else:
            raise JobError(f"no decider was at work for {_LOOKS_MAX * _LOOK_S:.0f} s")
        worker = busy[int(rng.integers(len(busy)))]
        if worker.process is not None:
            worker.doomed = True
            worker.process.kill()
            self.tally.killed_deciders += 1


def _is_busy(worker: _Worker) -> bool:
    process = worker.process
    is_alive = process is not None and process.returncode is None
    return is_alive and not worker.doomed and bool(worker.in_flight)


async def _end(worker: _Worker) -> None:
    """End a place's decider: its input closes, and it is killed if that is not enough."""
    process = worker.process
    if process is None or process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_S_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
