"""What Prometheus scrapes, on a real gateway of two workers over the embedded store."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from taulu_client import Level, errors
from taulu_client.gateway_caches import WorkerCacheStats
from tests.end_to_end.cached_parts import (
    BOUND_S,
    KEPT,
    USERS,
    gateway,
    one_on_each_worker,
    start,
    until,
    verified_stale,
)
from tests.end_to_end.test_gateway import refused
from tests.testbed.gateway_process import GatewayProcess

ENDPOINT = re.compile(r"metrics are at (http://\S+) worker=(\d+)")
GET = "/taulu.v1.DataService/BatchGet"
Series = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def pair(tmp_path: Path):
    running = gateway(tmp_path / "gateway", workers=2, more="metrics: {port: 0}").start()
    yield running
    running.close()


def endpoints(running: GatewayProcess) -> list[str]:
    """Return where each worker is scraped, as the log says; of one that was replaced, at last."""
    found = {int(number): url for url, number in ENDPOINT.findall(running.errors())}
    return [found[number] for number in sorted(found)]


def series(name: str, **labels: str) -> Series:
    return name, frozenset(labels.items())


def scrape(url: str) -> dict[Series, float]:
    with urllib.request.urlopen(url, timeout=30) as reply:
        text = reply.read().decode()
    return {
        series(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def as_told(stats: WorkerCacheStats) -> dict[Series, float]:
    """Return the series that a worker should have by what it says to `GetCacheStats`."""
    worker = str(stats.worker.number)
    expected = {
        series("taulu_cache_near_bytes", worker=worker): stats.near_bytes,
        series("taulu_cache_near_max_bytes", worker=worker): stats.near_bytes_max,
        series("taulu_cache_near_places", worker=worker): stats.near_places,
        series("taulu_cache_watchers", worker=worker): stats.watchers,
    }
    for table in stats.tables:
        labels = {"worker": worker, "table": table.table}
        counts = dict(table.counts)
        lag_s = counts.pop("staleness_us_max") / 1e6
        expected[series("taulu_cache_staleness_max_seconds", **labels)] = lag_s
        expected[series("taulu_cache_vouched", **labels)] = table.is_vouched
        for name, count in counts.items():
            expected[series(f"taulu_cache_{name}_total", **labels)] = count
    for channel in stats.channels:
        labels = {"worker": worker, "channel": channel.name}
        expected[series("taulu_cache_channel_vouches", **labels)] = channel.vouches
        expected[series("taulu_cache_channel_gaps_total", **labels)] = channel.gaps
    return expected


def of_caches(scraped: Mapping[Series, float]) -> dict[Series, float]:
    return {key: value for key, value in scraped.items() if key[0].startswith("taulu_cache_")}


async def test_each_worker_exports_what_it_says_of_its_caches(pair: GatewayProcess) -> None:
    urls = endpoints(pair)
    async with one_on_each_worker(pair.address) as clients:
        for number, client in enumerate(clients):
            users = client.table(USERS)
            await users.put({"user_id": "ada", "age": number})
            # Each worker has done something else.
            for _ in range(3 + number):
                await users.get("ada")
                await users.get("nobody")

        async def agree() -> bool:
            told = [await client.gateway_caches.stats() for client in clients]
            scraped = [of_caches(await asyncio.to_thread(scrape, url)) for url in urls]
            return scraped == [as_told(stats) for stats in told]

        await until(agree)
        hits = [
            scrape(url)[series("taulu_cache_near_hits_total", worker=str(n), table=USERS)]
            for n, url in enumerate(urls)
        ]
        assert 0 < hits[0] < hits[1]


async def test_requests_are_counted_by_method_and_code(pair: GatewayProcess) -> None:
    urls = endpoints(pair)
    async with one_on_each_worker(pair.address) as (client, _):

        async def count(method: str, code: str) -> float:
            labels = {"worker": "0", "method": method, "code": code}
            scraped = await asyncio.to_thread(scrape, urls[0])
            counted = scraped.get(series("taulu_request_duration_seconds_count", **labels), 0)
            top = series("taulu_request_duration_seconds_bucket", le="+Inf", **labels)
            assert scraped.get(top, 0) == counted
            return counted

        for _ in range(5):
            await client.table("demo.plain").get("ada")
        assert await count(GET, "OK") == 5
        with pytest.raises(errors.InvalidArgument, match="needs a bound"):
            await client.table(USERS).get("ada", consistency=Level.BOUNDED_STALENESS)
        assert await count(GET, "INVALID_ARGUMENT") == 1
        assert await count(GET, "OK") == 5
        # A stream that the caller gives up is neither well nor wrong.
        watch = "/taulu.v1.CacheService/Watch"
        await client.cached_table(USERS).get("ada")
        assert await count(watch, "CANCELLED") == 0

    async def is_cut_off() -> bool:
        return await count(watch, "CANCELLED") == 1

    await until(is_cut_off)


async def test_staleness_that_verification_finds_is_exported(pair: GatewayProcess) -> None:
    urls = endpoints(pair)

    def found(number: int, name: str) -> float:
        return scrape(urls[number])[series(name, worker=str(number), table=USERS)]

    async with one_on_each_worker(pair.address) as (client, _):
        await client.table(USERS).batch_put([{"user_id": key, "age": 1} for key in KEPT])
        assert found(0, "taulu_cache_beyond_total") == 0
        ran, before, _ = await verified_stale(client, pair)
        assert ran.returncode == 1, ran.stdout + ran.stderr
        assert found(0, "taulu_cache_checked_total") == before.counts["checked"] + 3
        assert found(0, "taulu_cache_beyond_total") == 1
        assert found(0, "taulu_cache_staleness_max_seconds") > BOUND_S
        assert found(1, "taulu_cache_beyond_total") == 0


async def test_a_worker_that_replaces_another_is_scraped_where_that_was(
    pair: GatewayProcess,
) -> None:
    urls = endpoints(pair)
    began = series("process_start_time_seconds", worker="1")
    before = scrape(urls[1])[began]
    _, victim = pair.worker_pids()
    os.kill(victim, signal.SIGKILL)

    async def is_back() -> bool:
        try:
            return scrape(urls[1])[began] > before
        except OSError:
            return False

    await until(is_back)
    assert endpoints(pair) == urls


def test_the_endpoint_ends_with_its_worker(pair: GatewayProcess) -> None:
    urls = endpoints(pair)
    assert pair.stop() == 0
    for url in urls:
        with pytest.raises(urllib.error.URLError, match="refused"):
            scrape(url)


@pytest.mark.parametrize("worker", [0, 1])
def test_a_port_that_is_taken_is_said_in_one_line(worker: int, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        first = port - worker
        two = gateway(tmp_path / "gateway", workers=2, more=f"metrics: {{port: {first}}}")
        code, said = refused(two)
    assert code == 2
    assert re.search(rf"cannot listen on 127.0.0.1:({first}|{port}): Address already in use", said)
    assert "`metrics`" in said
    assert len(said.splitlines()) == 1


def listening(pid: int) -> set[int]:
    """Return the TCP ports on which a process listens."""
    mine = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    found: set[int] = set()
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def test_without_the_setting_there_is_no_endpoint(tmp_path: Path, pair: GatewayProcess) -> None:
    ports = [int(url.split(":")[2].partition("/")[0]) for url in endpoints(pair)]
    with_it = [listening(pid) for pid in pair.worker_pids()]
    assert with_it == [{pair.port, port} for port in ports]
    silent = start(tmp_path / "silent", workers=2)
    try:
        assert [listening(pid) for pid in silent.worker_pids()] == [{silent.port}] * 2
        assert "metrics" not in silent.errors()
    finally:
        silent.close()


def test_a_client_can_ask_for_some_series_only(pair: GatewayProcess) -> None:
    url = f"{endpoints(pair)[0]}?name[]=taulu_cache_watchers"
    assert scrape(url) == {series("taulu_cache_watchers", worker="0"): 0}
