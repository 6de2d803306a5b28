"""The report of a run: for people on the terminal, for programs as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from taulu_refunds.checks import Check, to_json
from taulu_refunds.foreman import Tally
from taulu_refunds.job import Job

ORIGIN = (
    "Purchases are CDNOW's, real: {purchases:,} of {customers:,} customers. The {claims:,} claims "
    "are GENERATED on these customers and purchases; no public data of refund claims is known. "
    "Budgets, prices and the policy's terms are assumed."
)


def print_report(console: Console, job: Job, tally: Tally, checks: Sequence[Check]) -> None:
    """Print what was done and every check."""
    console.print()
    console.rule("Refund and credit system: report")
    console.print(
        ORIGIN.format(
            purchases=len(job.purchases), customers=len(job.summary), claims=len(job.claims)
        )
    )
    console.print(
        f"Deliveries sent to deciders: {tally.sent:,} (each claim three times, and "
        f"{tally.resent_batches} batches again after a kill). Deciders killed: "
        f"{tally.killed_deciders}. Gateway killed: {tally.killed_gateways}. Seed: {job.size.seed}."
    )
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "part", "check"):
        grid.add_column(name)
    for name in ("found", "wanted"):
        grid.add_column(name, justify="right")
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[bold red]FAILED[/]"
        grid.add_row(mark, check.part, check.what, check.found, check.wanted)
    console.print(grid)
    failed = sum(not check.ok for check in checks)
    if failed:
        console.print(f"[bold red]{failed} of {len(checks)} checks failed.[/]")
    else:
        console.print(f"[bold green]All {len(checks)} checks passed.[/]")


def write_report(path: Path, job: Job, tally: Tally, checks: Sequence[Check]) -> None:
    """Write the same as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "ok": all(check.ok for check in checks),
        "data": {
            "purchases": len(job.purchases),
            "customers": len(job.summary),
            "claims_generated": len(job.claims),
        },
        "size": asdict(job.size),
        "tally": asdict(tally),
        "checks": to_json(checks),
    }
    path.write_text(json.dumps(report, indent=2) + "\n")
