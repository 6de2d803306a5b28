"""Rows that a client keeps, on a real gateway of two workers: calls saved, news, and faults."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from taulu.codec import session_of
from taulu.model import Source
from taulu_client import (
    CachedTable,
    Client,
    ClientOptions,
    Consistency,
    Level,
    RetryOptions,
    bounded,
    errors,
)
from taulu_client.sync import SyncClient
from tests.end_to_end.cached_parts import (
    BOUND_S,
    USERS,
    age_s,
    counts,
    one_on_each_worker,
    start,
    until,
    until_seen,
)
from tests.testbed.gateway_process import GatewayProcess
from tests.testbed.proxy import Proxy

IMPATIENT = ClientOptions(retry=RetryOptions(attempts_max=1), attempt_timeout_s=1.0)


@pytest.fixture
def pair(tmp_path: Path):
    running = start(tmp_path / "gateway", workers=2)
    yield running
    running.close()


async def asked_of_the_gateway(client: Client) -> int:
    """Return how many rows the gateway was asked for, through the worker of this client."""
    found = (await counts(client)).counts
    return sum(found[name] for name in ("near_hits", "shared_hits", "joins", "loads", "passes"))


async def beyond_the_bound(users: CachedTable) -> None:
    """Read until what is kept is older than the bound, so that only news vouch for it."""

    async def is_old() -> bool:
        try:
            item = await users.get("ada")
            if age_s(item.facts) <= BOUND_S + 0.5:
                return False
            if item.facts.source is not Source.CLIENT_CACHE:
                # The worker read its copy as the stream began, and none can tell which came first
                # (ADR 49): let it read again.
                await users.get("ada", consistency=bounded(timedelta(seconds=1)))
        except errors.TransientError:
            # An impatient client on a busy machine; the next read will tell.
            return False
        return item.facts.source is Source.CLIENT_CACHE

    await until(is_old)


async def test_many_reads_cost_one_call(pair: GatewayProcess) -> None:
    async with Client(pair.address, timeout_s=60) as client:
        users = client.cached_table(USERS)
        await users.put({"user_id": "ada", "age": 1, "tags": ["x"]})
        first, *others = [await users.get("ada") for _ in range(200)]
        assert first.facts.source is Source.PRIMARY
        assert {item.facts.source for item in others} == {Source.CLIENT_CACHE}
        assert {item.facts.level for item in others} == {Level.EVENTUAL}
        assert all(item.row == first.row and item.version == first.version for item in others)
        assert await asked_of_the_gateway(client) == 1
        assert (users.stats.near_hits, users.stats.loads) == (199, 1)
        # What is handed out is the caller's own.
        others[0].row["tags"].append("mine")
        assert (await users.get("ada", columns=["tags"])).row == {"user_id": "ada", "tags": ["x"]}


async def test_an_absent_row_costs_one_call_and_is_seen_once_written(pair: GatewayProcess) -> None:
    async with (
        Client(pair.address, timeout_s=60) as client,
        Client(pair.address, timeout_s=60) as other,
    ):
        users = client.cached_table(USERS)
        assert [await users.get("ada") for _ in range(20)] == [None] * 20
        assert await asked_of_the_gateway(client) == 1
        await other.table(USERS).put({"user_id": "ada", "age": 1})

        async def is_seen() -> bool:
            return await users.get("ada") is not None

        await until(is_seen)


async def test_cold_readers_of_a_client_make_one_call(pair: GatewayProcess) -> None:
    async with Client(pair.address, timeout_s=60) as client:
        users = client.cached_table(USERS)
        await users.put({"user_id": "ada", "age": 1})
        items = await asyncio.gather(*(users.get("ada") for _ in range(500)))
        assert {item.row["age"] for item in items} == {1}
        assert await asked_of_the_gateway(client) == 1
        assert (users.stats.loads, users.stats.joins + users.stats.near_hits) == (1, 499)


async def test_what_others_write_is_seen_within_the_bound(pair: GatewayProcess) -> None:
    async with one_on_each_worker(pair.address) as (writer, reader):
        users = reader.cached_table(USERS)
        await writer.table(USERS).put({"user_id": "ada", "age": -1})
        # From then on its stream is heard.
        await beyond_the_bound(users)
        streams = {users._caches._feed.number}
        for age in range(20):
            await writer.table(USERS).put({"user_id": "ada", "age": age})
            await until_seen(users, age, written_s=time.monotonic())
            await until(lambda: is_kept(users))
            streams.add(users._caches._feed.number)
        await beyond_the_bound(users)
        if len(streams) == 1:
            # One stream told of all of them.
            assert users.stats.drops == 20


async def is_kept(users: CachedTable) -> bool:
    """Return whether a read costs no call; news that come late fence a load begun without them."""
    return (await users.get("ada")).facts.source is Source.CLIENT_CACHE


async def test_ones_own_writes_are_seen_at_once(pair: GatewayProcess) -> None:
    async with Client(pair.address, timeout_s=60) as client:
        users = client.cached_table(USERS)
        writers = (users, client.table(USERS))
        for age in range(30):
            await writers[age % 2].put({"user_id": "ada", "age": age})
            item = await users.get("ada")
            assert item.row["age"] == age
        await users.delete("ada")
        assert await users.get("ada") is None


async def test_levels_are_kept(pair: GatewayProcess) -> None:
    async with one_on_each_worker(pair.address) as (writer, reader):
        users = reader.cached_table(USERS)
        await writer.table(USERS).put({"user_id": "ada", "age": 1})
        await beyond_the_bound(users)
        for level in (Level.QUORUM, Level.LINEARIZABLE):
            assert (await users.get("ada", consistency=level)).facts.source is Source.PRIMARY
        await until(lambda: is_kept(users))
        asked_us = time.time_ns() // 1_000
        item = await users.get("ada", consistency=bounded(timedelta(seconds=1)))
        assert item.facts.as_of_us >= asked_us - 1_000_000
        await writer.table(USERS).put({"user_id": "ada", "age": 2})
        seen = session_of(writer.session_token)
        session = Consistency(Level.SESSION, session_version=seen.version, session_us=seen.time_us)
        assert (await users.get("ada", consistency=session)).row["age"] == 2
    async with Client(pair.address, timeout_s=60, session_token=writer.session_token) as client:
        users = client.cached_table(USERS)
        assert (await users.get("ada", consistency=Level.SESSION)).row["age"] == 2
        again = await users.get("ada", consistency=Level.SESSION)
        assert again.facts.source is Source.CLIENT_CACHE


async def _never_too_old(users: CachedTable, written_s: float, until_s: float) -> None:
    """Read until some time: the old row must not be served when the bound is over."""
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        try:
            item = await users.get("ada")
        except errors.TransientError:
            await asyncio.sleep(0.05)
            continue
        assert item.row["age"] == 2 or began_s < written_s + BOUND_S
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("fault", ["cut", "silence"])
async def test_a_client_that_hears_nothing_has_the_bound(pair: GatewayProcess, fault: str) -> None:
    host, _, port = pair.address.rpartition(":")
    with Proxy((host, int(port))) as proxy:
        async with (
            Client(pair.address, timeout_s=60) as writer,
            Client(proxy.address, timeout_s=1.0, options=IMPATIENT) as client,
        ):
            await writer.table(USERS).put({"user_id": "ada", "age": 1})
            users = client.cached_table(USERS)
            await beyond_the_bound(users)
            getattr(proxy, fault)()
            await writer.table(USERS).put({"user_id": "ada", "age": 2})
            written_s = time.monotonic()
            await _never_too_old(users, written_s, written_s + 2 * BOUND_S)
            with pytest.raises(errors.TransientError):
                await users.get("ada")
            proxy.mend()

            async def is_back() -> bool:
                try:
                    return (await users.get("ada")).row["age"] == 2
                except errors.TransientError:
                    return False

            await until(is_back)
            await beyond_the_bound(users)


async def test_a_client_watches_another_worker_when_its_own_dies(pair: GatewayProcess) -> None:
    workers = pair.worker_pids()
    async with (
        Client(pair.address, timeout_s=30) as client,
        Client(pair.address, timeout_s=60) as other,
    ):
        users = client.cached_table(USERS)
        await users.put({"user_id": "ada", "age": 1})
        await beyond_the_bound(users)
        number = (await client.gateway_caches.stats()).worker.number
        os.kill(workers[number], signal.SIGKILL)
        killed_s = time.time()

        async def is_read_anew() -> bool:
            try:
                item = await users.get("ada")
            except errors.TransientError:
                return False
            return item.facts.as_of_us / 1e6 > killed_s

        await until(is_read_anew)
        await beyond_the_bound(users)
        await other.table(USERS).put({"user_id": "ada", "age": 2})

        async def is_seen() -> bool:
            return (await users.get("ada")).row["age"] == 2

        await until(is_seen)


def test_the_client_without_async_keeps_rows_too(pair: GatewayProcess) -> None:
    with SyncClient(pair.address, timeout_s=60) as client:
        users = client.cached_table(USERS)
        users.put({"user_id": "ada", "age": 1})
        sources = [users.get("ada").facts.source for _ in range(5)]
    assert sources == [Source.PRIMARY] + [Source.CLIENT_CACHE] * 4


async def test_what_cannot_be_kept_is_refused(pair: GatewayProcess) -> None:
    async with Client(pair.address, timeout_s=60) as client:
        with pytest.raises(errors.Unsupported, match=r"`cache`"):
            await client.cached_table("demo.plain").get("a")
        with pytest.raises(errors.UnknownTable):
            await client.cached_table("demo.nothing").get("a")
        with pytest.raises(errors.InvalidArgument):
            await client.cached_table(USERS).get(7)
