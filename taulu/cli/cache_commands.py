"""`taulu verify-cache` and `taulu cache stats`: every worker that can be reached, one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Annotated, TypeAlias

import typer

from taulu.cli.exits import Exit
from taulu.cli.options import ADDRESS, TIMEOUT_S, Address, AsJson, Timeout
from taulu.cli.output import Output, progress
from taulu.cli.values import to_json
from taulu_client import Client
from taulu_client.gateway_caches import (
    CacheFindings,
    CounterExample,
    TableCacheStats,
    Worker,
    WorkerCacheStats,
)

TRIES_PER_WORKER = 16
"""How many connections are opened for each worker: the system gives each to any of them."""
_MILLISECOND = timedelta(milliseconds=1)
_SHOWN = ("near_hits", "shared_hits", "joins", "loads", "passes", "drops", "fenced", "stale")

CachedTable: TypeAlias = Annotated[
    str, typer.Argument(metavar="[TABLE]", help="namespace.table; all that are cached by default.")
]

app = typer.Typer(no_args_is_help=True, help="Look into the caches of a gateway.")


def verify_cache(
    table: CachedTable = "",
    sample: Annotated[
        int, typer.Option(min=1, help="How many partitions to compare, for each worker.")
    ] = 1_000,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Compare what is cached with the store, and fail if something lies beyond its bound."""
    output = Output(as_json)

    async def run() -> list[tuple[str, CacheFindings]]:
        results: list[tuple[str, CacheFindings]] = []
        async for client, stats in _workers(address, timeout, output):
            names = [table] if table else [counts.table for counts in stats.tables]
            results += [(name, await _verified(client, name, sample)) for name in names]
        return results

    results = sorted(asyncio.run(run()), key=lambda result: _order(result[1].worker))
    output.rows([_described(name, found) for name, found in results])
    output.rows(
        [
            _example(name, found.worker, example)
            for name, found in results
            for example in found.counter_examples
        ]
    )
    beyond = sum(found.beyond for _, found in results)
    checked = sum(found.checked for _, found in results)
    copies = "1 copy" if checked == 1 else f"{checked} copies"
    output.say(f"{copies} compared, {beyond or 'none'} beyond the bound of the table")
    if beyond:
        raise typer.Exit(Exit.FAILED)


async def _verified(client: Client, table: str, sample: int) -> CacheFindings:
    last: CacheFindings | None = None
    with progress(f"comparing {table}") as bar:
        task = bar.add_task("", total=None)
        async for found in client.gateway_caches.verify(table, sample):
            last = found
            bar.update(task, total=found.sampled, completed=found.done)
    assert last is not None  # noqa: S101 - the stream ends with a result or an error
    return last


@app.command()
def stats(
    table: CachedTable = "",
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Show what the caches did since their workers began, and whether they hear of writes."""
    output = Output(as_json)

    async def run() -> list[WorkerCacheStats]:
        return [
            await client.gateway_caches.stats(table)
            async for client, _ in _workers(address, timeout, output)
        ]

    found = sorted(asyncio.run(run()), key=lambda worker: _order(worker.worker))
    if as_json:
        for worker in found:
            output.record(_whole(worker))
        return
    output.rows([_row(worker.worker, counts) for worker in found for counts in worker.tables])
    output.rows([_memory(worker) for worker in found])
    output.rows(
        [
            {
                "worker": worker.worker.number,
                "table": counts.table,
                "partition": _shown(key),
                "share of reads": f"{share:.1%}",
            }
            for worker in found
            for counts in worker.tables
            for key, share in counts.hottest
        ]
    )


async def _workers(
    address: str, timeout_s: float, output: Output
) -> AsyncGenerator[tuple[Client, WorkerCacheStats]]:
    """Yield a client of each worker, as far as connections reach them."""
    seen: dict[str, set[int]] = {}
    wanted = 1
    tries = 0
    while sum(map(len, seen.values())) < wanted and tries < TRIES_PER_WORKER * wanted:
        tries += 1
        async with Client(address, timeout_s=timeout_s) as client:
            found = await client.gateway_caches.stats()
            numbers = seen.setdefault(found.worker.server_id, set())
            wanted = max(wanted, len(seen) * found.worker.count)
            if found.worker.number not in numbers:
                numbers.add(found.worker.number)
                yield client, found
    reached = sum(map(len, seen.values()))
    if reached < wanted:
        output.say(f"only {reached} of {wanted} workers could be reached by {tries} connections")


def _described(table: str, found: CacheFindings) -> dict[str, object]:
    return {
        "worker": found.worker.number,
        "table": table,
        "places": found.done,
        "checked": found.checked,
        "lagging": found.lagging,
        "beyond": found.beyond,
        "p50_ms": found.staleness_p50 / _MILLISECOND,
        "p95_ms": found.staleness_p95 / _MILLISECOND,
        "p99_ms": found.staleness_p99 / _MILLISECOND,
        "max_ms": found.staleness_max / _MILLISECOND,
        "bound_ms": found.bound / _MILLISECOND,
    }


def _example(table: str, worker: Worker, example: CounterExample) -> dict[str, object]:
    return {
        "worker": worker.number,
        "table": table,
        "beyond the bound": _shown(example.key.partition + example.key.clustering),
        "tier": example.tier,
        "cached_version": example.cached_version,
        "stored_version": example.stored_version,
        "for_ms": example.staleness / _MILLISECOND,
    }


def _row(worker: Worker, counts: TableCacheStats) -> dict[str, object]:
    return {
        "worker": worker.number,
        "table": counts.table,
        "hit ratio": f"{counts.hit_ratio:.3f}",
        **{name: counts.counts.get(name, 0) for name in _SHOWN},
        "places": counts.near_places,
        "vouched": "yes" if counts.is_vouched else f"no: {counts.why_not}",
    }


def _memory(worker: WorkerCacheStats) -> dict[str, object]:
    channels = [
        f"{channel.name}: " + ("hears all" if channel.vouches else channel.why_not)
        for channel in worker.channels
    ]
    return {
        "worker": worker.worker.number,
        "near bytes": worker.near_bytes,
        "of at most": worker.near_bytes_max,
        "places": worker.near_places,
        "watching clients": worker.watchers,
        "channels": "; ".join(channels) or "none needed",
        "gaps": sum(channel.gaps for channel in worker.channels),
    }


def _whole(worker: WorkerCacheStats) -> Mapping[str, object]:
    return {
        "server": worker.worker.server_id,
        "worker": worker.worker.number,
        "workers": worker.worker.count,
        "near_bytes": worker.near_bytes,
        "near_bytes_max": worker.near_bytes_max,
        "near_places": worker.near_places,
        "watchers": worker.watchers,
        "channels": [
            {"name": c.name, "vouches": c.vouches, "why_not": c.why_not, "gaps": c.gaps}
            for c in worker.channels
        ],
        "tables": [
            {
                "table": counts.table,
                **counts.counts,
                "hit_ratio": counts.hit_ratio,
                "near_places": counts.near_places,
                "vouched": counts.is_vouched,
                "why_not": counts.why_not,
                "hottest": [
                    {"partition": [to_json(value) for value in key], "share": share}
                    for key, share in counts.hottest
                ],
            }
            for counts in worker.tables
        ],
    }


def _order(worker: Worker) -> tuple[str, int]:
    return worker.server_id, worker.number


def _shown(key: tuple[object, ...]) -> str:
    return " ".join(str(value) for value in key)
