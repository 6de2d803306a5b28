"""What the caching contract promises, on a real gateway of two workers over the embedded store."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from taulu.codec import session_of
from taulu.model import Source
from taulu_client import Client, Consistency, Level
from tests.end_to_end.cached_parts import (
    BOUND_S,
    KEPT,
    USERS,
    age_s,
    counts,
    is_vouched,
    one_on_each_worker,
    records,
    start,
    taulu,
    until,
    until_seen,
    verified_stale,
)
from tests.testbed.gateway_process import GatewayProcess


@pytest.fixture
def pair(tmp_path: Path):
    running = start(tmp_path / "gateway", workers=2)
    yield running
    running.close()


async def test_a_write_is_seen_through_the_other_worker_within_the_bound(
    pair: GatewayProcess,
) -> None:
    async with one_on_each_worker(pair.address) as (writer, reader):
        users = reader.table(USERS)
        for age in range(20):
            await writer.table(USERS).put({"user_id": "ada", "age": age})
            await until_seen(users, age, written_s=time.monotonic())
            # It is cached from now on, so that the next write has something to take away.
            assert (await users.get("ada")).facts.source is Source.NEAR_CACHE
        assert (await counts(reader)).counts["drops"] == 0
        assert (await counts(writer)).counts["drops"] == 20


async def test_a_session_reads_its_writes_through_every_worker(pair: GatewayProcess) -> None:
    async with one_on_each_worker(pair.address) as clients:
        for age in range(30):
            writer, reader = clients[age % 2], clients[1 - age % 2]
            await reader.table(USERS).get("ada", consistency=Level.EVENTUAL)
            await writer.table(USERS).put({"user_id": "ada", "age": age})
            seen = session_of(writer.session_token)
            session = Consistency(
                Level.SESSION, session_version=seen.version, session_us=seen.time_us
            )
            item = await reader.table(USERS).get("ada", consistency=session)
            assert item.row["age"] == age


async def test_an_absent_row_is_remembered_until_it_is_written(pair: GatewayProcess) -> None:
    async with one_on_each_worker(pair.address) as (writer, reader):
        users = reader.table(USERS)
        assert [await users.get("ada") for _ in range(5)] == [None] * 5
        found = (await counts(reader)).counts
        assert (found["loads"], found["near_hits"], found["negatives"]) == (1, 4, 4)
        await writer.table(USERS).put({"user_id": "ada", "age": 1})

        async def is_seen() -> bool:
            return await users.get("ada") is not None

        await until(is_seen)


async def test_cold_readers_make_one_load(pair: GatewayProcess) -> None:
    async with one_on_each_worker(pair.address) as (client, _):
        await client.table(USERS).put({"user_id": "ada", "age": 1})
        before = (await counts(client)).counts
        items = await asyncio.gather(*(client.table(USERS).get("ada") for _ in range(500)))
        assert {item.row["age"] for item in items} == {1}
        after = (await counts(client)).counts
        assert after["loads"] - before["loads"] == 1
        assert after["near_hits"] + after["joins"] - before["near_hits"] - before["joins"] == 499


async def _beyond_the_bound(client: Client) -> None:
    """Read until what is cached is older than the bound, so that only news vouch for it."""

    async def is_old() -> bool:
        facts = (await client.table(USERS).get("ada")).facts
        return facts.source is Source.NEAR_CACHE and age_s(facts) > BOUND_S + 0.5

    await until(is_old)


async def test_a_killed_worker_costs_the_trust_in_what_was_read_before(
    pair: GatewayProcess,
) -> None:
    # The supervisor starts its workers in their order.
    victim, _ = pair.worker_pids()
    async with one_on_each_worker(pair.address) as (_, survivor):
        await survivor.table(USERS).put({"user_id": "ada", "age": 1})
        await _beyond_the_bound(survivor)
        gaps = (await survivor.gateway_caches.stats()).channels[0].gaps
        killed_s = time.time()
        os.kill(victim, signal.SIGKILL)

        async def is_read_anew() -> bool:
            return (await survivor.table(USERS).get("ada")).facts.as_of_us / 1e6 > killed_s

        await until(is_read_anew)
        await _beyond_the_bound(survivor)
        state = await survivor.gateway_caches.stats()
        assert state.channels[0].gaps > gaps
        assert (state.channels[0].vouches, state.tables[0].is_vouched) == (True, True)
    assert "starting another" in pair.errors()


async def test_a_silent_worker_leaves_the_others_the_bound(pair: GatewayProcess) -> None:
    silent, _ = pair.worker_pids()
    async with one_on_each_worker(pair.address) as (_, client):
        await client.table(USERS).put({"user_id": "ada", "age": 1})
        await _beyond_the_bound(client)
        os.kill(silent, signal.SIGSTOP)
        try:
            state = await counts(client)
            while state.is_vouched:
                await asyncio.sleep(0.05)
                state = await counts(client)
            assert "silent" in state.why_not
            for _ in range(20):
                asked_s = time.time()
                facts = (await client.table(USERS).get("ada")).facts
                # Its age is told when the reply is made, and counted back from the sending.
                took_s = time.time() - asked_s
                assert facts.as_of_us / 1e6 >= asked_s - BOUND_S - took_s
                await asyncio.sleep(0.1)
        finally:
            os.kill(silent, signal.SIGCONT)
        await until(lambda: is_vouched(client))
        await _beyond_the_bound(client)


async def test_verification_finds_nothing_on_a_gateway_in_use(pair: GatewayProcess) -> None:
    async with one_on_each_worker(pair.address) as clients:
        done = asyncio.Event()

        async def use(client: Client, number: int) -> None:
            turn = 0
            while not done.is_set():
                turn += 1
                key = f"{(turn * 7 + number) % 50}"
                if turn % 5 == 0:
                    await client.table(USERS).put({"user_id": key, "age": turn})
                await client.table(USERS).get(key)

        users = [asyncio.create_task(use(clients[n % 2], n)) for n in range(4)]
        try:
            await until(lambda: _has_places(clients))
            ran = await asyncio.to_thread(taulu, pair.address, "verify-cache", "--json")
        finally:
            done.set()
            await asyncio.gather(*users)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = records(ran)
    assert sorted(record["worker"] for record in found) == [0, 1]
    assert all(record["checked"] > 0 and record["beyond"] == 0 for record in found)


async def _has_places(clients: list[Client]) -> bool:
    found = [await counts(client) for client in clients]
    return all(state.near_places > 20 for state in found)


async def test_verification_finds_what_was_written_past_the_gateway(
    pair: GatewayProcess,
) -> None:
    async with one_on_each_worker(pair.address) as (client, _):
        await client.table(USERS).batch_put([{"user_id": key, "age": 1} for key in KEPT])
        ran, before, after = await verified_stale(client, pair, "--json")
        assert ran.returncode == 1, ran.stdout + ran.stderr
        result, _, example = records(ran)
        assert (result["worker"], result["checked"]) == (0, 3)
        assert (result["lagging"], result["beyond"]) == (1, 1)
        assert result["max_ms"] > result["bound_ms"]
        assert (example["beyond the bound"], example["tier"]) == ("bob", "near")
        assert example["stored_version"] == example["cached_version"] + 1000
        assert after.counts["checked"] - before.counts["checked"] == 3
        assert after.counts["beyond"] - before.counts["beyond"] == 1
        assert after.counts["staleness_us_max"] > BOUND_S * 1e6
    shown = await asyncio.to_thread(taulu, pair.address, "cache", "stats", USERS)
    assert "demo.users" in shown.stdout
    assert "hears all" in shown.stdout
