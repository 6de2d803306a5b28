"""A checked workload while something breaks: healthy, fault, mending, recovery, check.

See README.md beside this file for how a backend's fault tests use it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from taulu.conformance import Execute
from taulu.conformance.promises import SEED_VARIABLE
from tests.faults.accounts import Accounts
from tests.faults.calls import Book, Caller, Pace, Phase
from tests.faults.lines import Lines
from tests.faults.notes import Notes
from tests.faults.registers import Registers
from tests.faults.tables import FaultTables

_SHOWN_MAX = 8
_POLL_S = 0.05
_HURT_S_MAX = 400.0
"""How long an injection or a mending may take: a large server may have to start."""


class Part(Protocol):
    """One part of the workload, on one table."""

    caller: Caller
    workers: int

    async def prepare(self) -> None:
        """Get ready, before the first step."""

    async def step(self, worker: int, choose: random.Random) -> None:
        """Make one or a few calls."""

    async def settle(self) -> bool:
        """Send every unknown write once more; return whether all are settled."""
        ...

    async def check(self, until: float, *, is_settled: bool) -> None:
        """Read everything back and accuse what was broken."""


class Fault(Protocol):
    """Something that can be broken and mended; both may be async, or block."""

    def inject(self) -> Awaitable[object] | object:
        """Break it."""

    def mend(self) -> Awaitable[object] | object:
        """Mend it: after it returns, the backend must come back by itself."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A fault made of two functions."""

    inject: Callable[[], object]
    mend: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be so while the fault lasts, and how soon after it all must be well."""

    serves: bool | None = None
    """True: writes go on; False: no write is acknowledged; None: either."""
    by_part: Mapping[str, bool | None] = field(default_factory=dict[str, bool | None])
    """Where a part (`registers`, `accounts`, `notes`, `lines`) differs from `serves`."""
    acknowledged_min: int = 5
    """How many writes of a part are enough to say that it serves, or that it came back."""
    failover_s: float = 30.0
    """How much longer a phase may last until the parts that must serve in it do so."""
    recovery_s: float = 30.0
    """How long after mending every part must take writes again, settle and be readable."""

    def of(self, part: str) -> bool | None:
        """Return what is expected of a part."""
        return self.by_part.get(part, self.serves)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    seed: int
    violations: Sequence[str]
    counts: Mapping[str, Mapping[str, int]]
    """Writes by `part phase`, then by fate."""
    errors: Mapping[str, int]
    """Errors by code."""
    recovery_s: float
    """From the end of mending until every part took writes again."""

    def text(self) -> str:
        """Return it for people."""
        lines = [f"{SEED_VARIABLE}={self.seed}; took writes again after {self.recovery_s:.1f} s"]
        lines += [f"  {what}: {dict(fates)}" for what, fates in self.counts.items()]
        lines.append(f"  errors: {dict(self.errors)}")
        lines += [f"BROKEN {what}" for what in self.violations[:_SHOWN_MAX]]
        if len(self.violations) > _SHOWN_MAX:
            lines.append(f"... and {len(self.violations) - _SHOWN_MAX} more")
        return "\n".join(lines)


async def observe_fault(
    execute: Execute,
    tables: FaultTables,
    *,
    fault: Fault,
    expect: Expect,
    seed: int | None = None,
    pace: Pace | None = None,
) -> Report:
    """Run the workload around a fault; return what was seen, broken promises included.

    The seed is `TAULU_SEED`, or new, when none is given; it is printed.
    """
    if seed is None:
        seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(2**32))
    print(f"{SEED_VARIABLE}={seed}")
    run = _Run(execute, tables, expect, pace or Pace(), seed)
    async with run.book.beating():
        await run.go(fault)
    return run.report()


async def run_under_fault(
    execute: Execute,
    tables: FaultTables,
    *,
    fault: Fault,
    expect: Expect,
    seed: int | None = None,
    pace: Pace | None = None,
) -> Report:
    """Run the workload around a fault, and fail on any broken promise.

    Raises:
        AssertionError: It shows every broken promise with the calls on its key, and the seed.
    """
    report = await observe_fault(execute, tables, fault=fault, expect=expect, seed=seed, pace=pace)
    print(report.text())
    if report.violations:
        raise AssertionError(report.text())
    return report


class _Run:
    """One run of all parts."""

    def __init__(
        self, execute: Execute, tables: FaultTables, expect: Expect, pace: Pace, seed: int
    ) -> None:
        self.expect, self.pace, self.seed = expect, pace, seed
        self.book = Book()
        self.recovered_s = 0.0
        self.parts = self._parts(execute, tables)

    def _parts(self, execute: Execute, tables: FaultTables) -> dict[str, Part]:
        def caller(part: str) -> Caller:
            return Caller(part, execute, self.book, self.pace)

        parts: dict[str, Part] = {}
        if tables.registers is not None:
            parts["registers"] = Registers(caller("registers"), tables.registers)
        if tables.accounts is not None:
            parts["accounts"] = Accounts(caller("accounts"), tables.accounts, tables.has_holds)
        if tables.notes is not None:
            parts["notes"] = Notes(caller("notes"), tables.notes)
        if tables.lines is not None:
            parts["lines"] = Lines(caller("lines"), tables.lines)
        assert parts, "there is no table to work on"
        return parts

    async def go(self, fault: Fault) -> None:
        """Go through all phases."""
        for part in self.parts.values():
            await part.prepare()
        async with self._working():
            await self._until_acknowledged(Phase.HEALTHY, self.pace.healthy_s, self._all())
            self.book.phase = Phase.INJECTING
            try:
                await _carry_out(fault.inject)
                await self._until_acknowledged(Phase.FAULT, self.pace.fault_s, self._serving())
            finally:
                self.book.phase = Phase.MENDING
                await _carry_out(fault.mend)
            came_back = await self._recover()
        self._judge_service()
        self.book.phase = Phase.SETTLING
        if not came_back:
            return
        await self._check(is_settled=False)
        await self._settle()
        await self._check(is_settled=True)

    def report(self) -> Report:
        """Return what was seen."""
        counts: dict[str, dict[str, int]] = {}
        for (part, phase, fate), count in sorted(
            self.book.counts.items(), key=lambda item: (item[0][0], list(Phase).index(item[0][1]))
        ):
            counts.setdefault(f"{part} {phase.value}", {})[fate.value] = count
        violations = list(dict.fromkeys(self.book.violations))
        return Report(self.seed, violations, counts, self.book.errors, self.recovered_s)

    @asynccontextmanager
    async def _working(self) -> AsyncGenerator[None]:
        """Keep all workers at work; each ends with the step it is in."""
        over = asyncio.Event()

        async def work(name: str, part: Part, worker: int) -> None:
            choose = random.Random(f"{self.seed}/{name}/{worker}")
            while not over.is_set():
                await part.step(worker, choose)
                await asyncio.sleep(self.pace.rest_s)

        async with asyncio.TaskGroup() as group:
            for name, part in self.parts.items():
                for worker in range(part.workers):
                    group.create_task(work(name, part, worker))
            try:
                yield
            finally:
                over.set()

    def _all(self) -> dict[str, int]:
        return dict.fromkeys(self.parts, self.expect.acknowledged_min)

    def _serving(self) -> dict[str, int]:
        return {
            name: self.expect.acknowledged_min
            for name in self.parts
            if self.expect.of(name) is True
        }

    async def _until_acknowledged(
        self, phase: Phase, at_least_s: float, wanted: Mapping[str, int]
    ) -> None:
        """Let the workers go on for a time, and until the wanted writes are acknowledged."""
        self.book.phase = phase
        await asyncio.sleep(at_least_s)
        give_up = time.monotonic() + self.expect.failover_s
        while not self._has(phase, wanted):
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(_POLL_S)

    def _has(self, phase: Phase, wanted: Mapping[str, int]) -> bool:
        return all(self.book.acknowledged(name, phase) >= count for name, count in wanted.items())

    async def _recover(self) -> bool:
        """Wait until every part takes writes again; return whether all do."""
        self.book.phase = Phase.RECOVERY
        mended = time.monotonic()
        wanted = self._all()
        while self.recovered_s <= self.expect.recovery_s:
            if self._has(Phase.RECOVERY, wanted):
                return True
            await asyncio.sleep(_POLL_S)
            self.recovered_s = time.monotonic() - mended
        for name, count in wanted.items():
            got = self.book.acknowledged(name, Phase.RECOVERY)
            if got < count:
                self.book.accuse(
                    name, f"it took {got} writes in {self.recovered_s:.0f} s after mending"
                )
        return False

    def _judge_service(self) -> None:
        for name in self.parts:
            if not self.book.acknowledged(name, Phase.HEALTHY):
                self.book.accuse(name, "no write was acknowledged before the fault")
            got = self.book.acknowledged(name, Phase.FAULT)
            serves = self.expect.of(name)
            if serves is True and got < self.expect.acknowledged_min:
                self.book.accuse(name, f"it must serve under the fault, but took {got} writes")
            if serves is False and got:
                self.book.accuse(name, f"it must refuse under the fault, but took {got} writes")

    async def _settle(self) -> None:
        give_up = time.monotonic() + self.expect.recovery_s
        for name, part in self.parts.items():
            while not await part.settle():
                if time.monotonic() > give_up:
                    self.book.accuse(name, "some writes stay unknown, however often resent")
                    break
                await asyncio.sleep(_POLL_S)

    async def _check(self, *, is_settled: bool) -> None:
        until = time.monotonic() + self.expect.recovery_s
        for part in self.parts.values():
            await part.check(until, is_settled=is_settled)


async def _carry_out(step: Callable[[], object]) -> None:
    """Call a step of a fault off the event loop, or await it."""
    async with asyncio.timeout(_HURT_S_MAX):
        if inspect.iscoroutinefunction(step):
            await step()
            return
        result = await asyncio.to_thread(step)
        if inspect.isawaitable(result):
            await result


__all__ = ["Expect", "Fault", "Pace", "Report", "Steps", "observe_fault", "run_under_fault"]
