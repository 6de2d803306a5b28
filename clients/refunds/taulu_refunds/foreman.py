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
_KILL_DELAY_S_MAX = 0.05
"""How long after a batch was handed over its decider is killed, at most."""
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
        kill_gateway: Kills the gateway and starts it again; called once.
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
    _deadly: dict[int, float] = field(default_factory=dict[int, float])
    """How long after it was handed over a batch's decider is killed, in seconds, by batch."""
    _gateway_batch: int = -1
    """The batch at which the gateway is killed."""

    async def run(self, deliveries: Sequence[Delivery]) -> Tally:
        """Hand out every delivery until all are decided; every process is ended at the end.

        Raises:
            JobError: Deciders kept ending by themselves.
        """
        self._deal(deliveries)
        self._plan_trouble()
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._workers:
                    group.create_task(self._keep_working(worker))
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

    def _plan_trouble(self) -> None:
        """Draw the batches at which a decider, and once the gateway, is killed."""
        rng = np.random.default_rng([self.seed, len(self._batches)])
        if self.kills >= len(self._batches):
            raise JobError(
                f"{self.kills} kills need more than {len(self._batches)} batches; ask for fewer "
                "kills or more claims"
            )
        drawn = rng.choice(len(self._batches), self.kills + 1, replace=False)
        self._gateway_batch = int(drawn[0])
        delays = rng.uniform(0, _KILL_DELAY_S_MAX, self.kills)
        self._deadly = {int(n): float(s) for n, s in zip(drawn[1:], delays, strict=True)}

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
            if await self._make_trouble(worker, process):
                return
            line = await process.stdout.readline()
            if not line:
                return
            number = int(json.loads(line)["batch"])
            worker.in_flight.discard(number)
            self._done += len(self._batches[number])
            self.progress(self._done)

    async def _make_trouble(self, worker: _Worker, process: asyncio.subprocess.Process) -> bool:
        """Kill what is due while a batch is under way; return whether it was the decider."""
        if self._gateway_batch in worker.in_flight:
            self._gateway_batch = -1
            await self.kill_gateway()
            self.tally.killed_gateways += 1
        due = [number for number in worker.in_flight if number in self._deadly]
        if not due:
            return False
        await asyncio.sleep(self._deadly.pop(due[0]))
        worker.doomed = True
        process.kill()
        self.tally.killed_deciders += 1
        return True

    def _line(self, number: int) -> bytes:
        fields = [delivery_to_json(delivery) for delivery in self._batches[number]]
        return json.dumps({"batch": number, "deliveries": fields}).encode() + b"\n"


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
