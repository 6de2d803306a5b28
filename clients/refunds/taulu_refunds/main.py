"""The entry point of `taulu-refunds`."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress

from taulu_client import errors
from taulu_refunds import source
from taulu_refunds.decider_process import run_decider
from taulu_refunds.demo import COLUMNS, Demo
from taulu_refunds.failure import JobError
from taulu_refunds.job import Size, plan_job
from taulu_refunds.placement import read_placement
from taulu_refunds.verify import verify as verify_books
from taulu_refunds.verify import write_result

FOLDER = Path("build")
_SIZE = Size()

Address: TypeAlias = Annotated[str, typer.Option(help="The gateway's host:port.")]
Folder: TypeAlias = Annotated[Path, typer.Option(help="Where data, store and report are kept.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Decides everything that is drawn.")]
Customers: TypeAlias = Annotated[
    int | None, typer.Option(help="Only the first customers; all 2,357 by default.")
]
Claims: TypeAlias = Annotated[int, typer.Option(help="How many claims are generated.")]
Days: TypeAlias = Annotated[int, typer.Option(help="Over how many days.")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The refund and credit system: Taulu's first tenant.",
)


@app.command()
def demo(
    folder: Folder = FOLDER,
    seed: Seed = _SIZE.seed,
    customers: Customers = None,
    claims: Claims = _SIZE.claims,
    days: Days = _SIZE.days,
    deciders: Annotated[int, typer.Option(min=3, help="Decider processes.")] = _SIZE.deciders,
    kills: Annotated[int, typer.Option(min=0, help="Deciders to kill.")] = _SIZE.kills,
    placement: Annotated[
        Path | None, typer.Option(help="YAML that places tables on other backends.")
    ] = None,
    trouble: Annotated[
        str, typer.Option(help="A command that hurts a backend, run while claims are decided.")
    ] = "",
) -> None:
    """Run the whole job on a gateway of its own, and check every figure."""
    size = Size(seed, customers, claims, days, deciders, kills)
    console, where = Console(), read_placement(placement)
    run_demo = Demo(folder.absolute(), size, console, where, tuple(shlex.split(trouble)))
    is_sound = asyncio.run(run_demo.run())
    raise typer.Exit(0 if is_sound else 1)


@app.command()
def decide(address: Address) -> None:
    """Decide the batches of claims that come in on standard input."""
    asyncio.run(run_decider(address))


@app.command()
def verify(
    address: Address,
    folder: Folder = FOLDER,
    result: Annotated[Path | None, typer.Option(help="Write the checks here as JSON.")] = None,
    seed: Seed = _SIZE.seed,
    customers: Customers = None,
    claims: Claims = _SIZE.claims,
    days: Days = _SIZE.days,
) -> None:
    """Read everything back through the gateway and check it."""
    size = Size(seed, customers, claims, days)

    async def run() -> bool:
        job = plan_job(await source.fetch(folder / "data"), size)
        with Progress(*COLUMNS) as bar:
            task = bar.add_task("Verifying, in a process of its own", total=len(job.summary))
            checks = await verify_books(address, job, lambda done: bar.update(task, completed=done))
        if result is not None:
            write_result(result, checks)
        for check in checks:
            if not check.ok:
                sys.stderr.write(f"FAILED {check.what}: {check.found}, not {check.wanted}\n")
        return all(check.ok for check in checks)

    raise typer.Exit(0 if asyncio.run(run()) else 1)


def main() -> None:
    """Run a command; an expected failure is one line, and the exit code is 2."""
    try:
        app(prog_name="taulu-refunds")
    except (JobError, errors.TauluError) as error:
        sys.stderr.write(f"taulu-refunds: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
