"""The verifier: a process of its own that knows only the address, the files and the size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from taulu_client import Client
from taulu_refunds.checks import Check, to_json
from taulu_refunds.job import Job
from taulu_refunds.stores import open_stores
from taulu_refunds.verify_features import verify_features
from taulu_refunds.verify_money import verify_money

TIMEOUT_S = 20.0


async def verify(address: str, job: Job, progress: Callable[[int], None]) -> list[Check]:
    """Read everything back through the gateway and check it."""
    async with Client(address, timeout_s=TIMEOUT_S) as client:
        stores = open_stores(client)
        features = await verify_features(stores, job.purchases, job.summary, progress)
        money = await verify_money(stores, job.claims, job.budgets)
    return features + money


def write_result(path: Path, checks: list[Check]) -> None:
    """Write the checks where the process that waits for them looks."""
    path.write_text(json.dumps(to_json(checks)))
