"""What the tests of caching on a real gateway share: tables, workers, and a look at counts."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from taulu_client import Client
from taulu_client.gateway_caches import TableCacheStats
from tests.testbed.gateway_process import GatewayProcess

USERS = "demo.users"
BOUND_S = 2.0
KEPT = ["ada", "bob", "eve"]
"""The rows that the tests of verification keep."""
TABLES = """\
apiVersion: taulu/v1
kind: Table
metadata: {namespace: demo, name: users}
spec:
  kind: kv
  key: {partition: [user_id]}
  columns: {user_id: string, age: int64, tags: list<string>}
  consistency: {read: EVENTUAL, write: LINEARIZABLE}
  cache: {tiers: [near], ttl: 1h, negative_ttl: 1h, staleness: 2s}
---
apiVersion: taulu/v1
kind: Table
metadata: {namespace: demo, name: plain}
spec:
  kind: kv
  key: {partition: [id]}
  columns: {id: string, count: int64}
"""
WAIT_S_MAX = 60.0
"""How long a condition may take that comes by itself, on a busy machine."""


def gateway(folder: Path, workers: int, more: str = "") -> GatewayProcess:
    """Return a gateway of these tables that is not started yet, with more lines of settings."""
    folder.mkdir(parents=True)
    tables = folder / "tables.yaml"
    tables.write_text(TABLES)
    settings = f"storage:\n  embedded: {{adapter: embedded, path: {folder / 'my.db'}}}\n{more}"
    return GatewayProcess(folder, [tables], workers=workers, settings=settings)


def start(folder: Path, workers: int) -> GatewayProcess:
    return gateway(folder, workers).start()


@asynccontextmanager
async def one_on_each_worker(address: str, count: int = 2) -> AsyncGenerator[list[Client]]:
    """Open clients until each worker has one; they stand in the order of their workers."""
    async with AsyncExitStack() as stack:
        found: dict[int, Client] = {}
        for _ in range(64 * count):
            client = await stack.enter_async_context(Client(address, timeout_s=30))
            found.setdefault((await client.gateway_caches.stats()).worker.number, client)
            if len(found) == count:
                break
        assert sorted(found) == list(range(count))
        yield [found[number] for number in range(count)]


async def counts(client: Client, table: str = USERS) -> TableCacheStats:
    (found,) = (await client.gateway_caches.stats(table)).tables
    return found


async def until(holds: Callable[[], Awaitable[Any]]) -> None:
    """Wait until a condition holds."""
    give_up_s = time.monotonic() + WAIT_S_MAX
    while not await holds():
        assert time.monotonic() < give_up_s, "it did not come true"
        await asyncio.sleep(0.05)


async def verified_stale(
    client: Client, gateway: GatewayProcess, *options: str
) -> tuple[subprocess.CompletedProcess[str], TableCacheStats, TableCacheStats]:
    """Keep some rows, change one past the gateway, and verify.

    Returns what was said, and the counts before and after it. A gateway that vouched for nothing
    meanwhile, as on a machine too busy for its beats, served no copy beyond the bound, and finds
    none: then all of it is done again.
    """
    users = client.table(USERS)
    give_up_s = time.monotonic() + WAIT_S_MAX
    while True:
        await until(lambda: is_vouched(client))
        await users.batch_get(KEPT)
        write_beside_the_gateway(gateway.folder, "bob")
        before = await counts(client)
        ran = await asyncio.to_thread(taulu, gateway.address, "verify-cache", USERS, *options)
        after = await counts(client)
        is_whole = after.counts["checked"] - before.counts["checked"] >= len(KEPT)
        is_served = after.counts["staleness_us_max"] >= BOUND_S * 1e6
        if (is_whole and (ran.returncode or is_served)) or time.monotonic() > give_up_s:
            return ran, before, after


async def is_vouched(client: Client) -> bool:
    return (await counts(client)).is_vouched


def age_s(facts: Any) -> float:
    return time.time() - facts.as_of_us / 1e6


def taulu(address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taulu.cli.main", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "TAULU_ADDRESS": address, "COLUMNS": "200"},
        timeout=120,
        check=False,
    )


def records(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_beside_the_gateway(folder: Path, key: str) -> None:
    """Change a row in the store's file, which no gateway hears of."""
    connection = sqlite3.connect(folder / "my.db", timeout=30)
    try:
        with connection:
            changed = connection.execute(
                "UPDATE rows SET version = version + 1000 WHERE pk = ?", (key.encode() + b"\0\1",)
            )
        assert changed.rowcount == 1
    finally:
        connection.close()


async def until_seen(users: Any, age: int, *, written_s: float) -> None:
    """Read the row of ada until it has an age; fail on a read beyond the bound that lacks it."""
    while True:
        began_s = time.monotonic()
        if (await users.get("ada")).row["age"] == age:
            return
        assert began_s < written_s + BOUND_S
        await asyncio.sleep(0)
