"""Two gateways with a shared cache in Redis in front of one PostgreSQL, while Redis is hurt.

Every read is compared with the writes that were acknowledged before it began, in the one time of
the process that made both. The table lives far longer in caches than its bound, so that a read
within the bound owes it to the news, or to the rule that trusts nothing once news may be missing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from taulu.codec import session_of
from taulu.model import Consistency, Level, Source
from taulu_client import Client
from tests.testbed.gateway_process import GatewayProcess
from tests.testbed.postgres_server import PostgresServer
from tests.testbed.redis_servers import RedisServer, call
from tests.testbed.server_process import free_port

pytestmark = pytest.mark.xdist_group("postgres")

BOUND_S = 2.0
QUIET_S, HURT_S = 1.5, 4.0
NEAR = f"EVENTUAL {Source.NEAR_CACHE.value}"
"""Under which name reads of the near cache are counted."""
KEYS = [f"k{n}" for n in range(4)]
TABLE = """
apiVersion: taulu/v1
kind: Table
metadata: {namespace: cached, name: NAME}
spec:
  kind: kv
  key: {partition: [id]}
  columns: {id: string, n: int64}
  storage: {adapter: postgres}
  consistency: {read: EVENTUAL, write: QUORUM}
  cache: {tiers: [near, shared], ttl: 10m, negative_ttl: 10m, staleness: 2s}
"""


@dataclass
class History:
    """What was acknowledged, and what was read wrongly."""

    acknowledged: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """Per key: when, and which number."""
    reads: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def known(self, key: str, at: float) -> int:
        """Return the highest number that was acknowledged by then; 0 when there was none."""
        return max((n for when, n in self.acknowledged.get(key, []) if when <= at), default=0)


@dataclass
class Pair:
    """The two gateways, each with a client, and their Redis."""

    redis: RedisServer
    name: str
    clients: list[Client]
    history: History = field(default_factory=History)

    async def write(self, key: str, n: int) -> None:
        """Write a number through one gateway, and read it at once at SESSION through the other."""
        writer, reader = self.clients[n % 2], self.clients[1 - n % 2]
        await writer.table(self.name).put({"id": key, "n": n})
        self.history.acknowledged.setdefault(key, []).append((time.monotonic(), n))
        seen = session_of(writer.session_token)
        session = Consistency(Level.SESSION, session_version=seen.version, session_us=seen.time_us)
        await self.read(reader, key, session, within_s=0.0)

    async def read(
        self, client: Client, key: str, consistency: Consistency, within_s: float
    ) -> None:
        """Read, and compare with what had been acknowledged that long before."""
        wanted = self.history.known(key, time.monotonic() - within_s)
        item = await client.table(self.name).get(key, consistency=consistency)
        got = 0 if item is None else int(str(item.row["n"]))
        source = "absent" if item is None else item.facts.source.value
        level = consistency.level or Level.EVENTUAL
        self.history.reads[f"{level.name} {source}"] += 1
        if got < wanted:
            self.history.wrong.append(f"{level.name} read of {key} gave {got}, not {wanted}")

    async def work(self, seconds: float) -> None:
        """Write and read for a time."""
        end = time.monotonic() + seconds

        async def keep(step: Callable[[int], Awaitable[None]], rest_s: float) -> None:
            n = max((n for acks in self.history.acknowledged.values() for _, n in acks), default=0)
            while time.monotonic() < end:
                n += 1
                await step(n)
                await asyncio.sleep(rest_s)

        async def write(n: int) -> None:
            await self.write(KEYS[n % len(KEYS)], n)

        async def read(n: int) -> None:
            client = self.clients[n % 2]
            await self.read(client, KEYS[n // 2 % len(KEYS)], Consistency(Level.EVENTUAL), BOUND_S)

        async with asyncio.TaskGroup() as group:
            group.create_task(keep(write, 0.1))
            for _ in range(3):
                group.create_task(keep(read, 0.002))


@asynccontextmanager
async def pair(tmp_path: Path, postgres: PostgresServer) -> AsyncGenerator[Pair]:
    name = f"t{free_port()}"
    table = tmp_path / "table.yaml"
    table.write_text(TABLE.replace("NAME", name))
    config = {"save": '""', "appendonly": "no"}
    redis = RedisServer(tmp_path / "redis", free_port(), config).start()
    # A list of members that is new vouches for nobody: this one is as old as can be.
    call(redis.port, "HSET", "taulu:{cache:0}:members", "", 1)
    target = {"adapter": "redis", "nodes": [redis.address], "durability": "none"}
    storage = {"postgres": {"adapter": "postgres", **postgres.options()}, "cache": target}
    settings = f"storage: {json.dumps(storage)}\ncache: {{shared: cache}}\n"
    gateways: list[GatewayProcess] = []
    async with AsyncExitStack() as stack:
        stack.callback(redis.stop)
        clients: list[Client] = []
        for number in range(2):
            gateway = GatewayProcess(tmp_path / str(number), [table], settings=settings)
            gateways.append(gateway)
            stack.callback(gateway.close)
            gateway.start()
            # Patience: what is measured is what is served, not how fast a busy machine is.
            client = Client(gateway.address, timeout_s=30.0)
            clients.append(await stack.enter_async_context(client))
        yield Pair(redis, f"cached.{name}", clients)


def kill(redis: RedisServer) -> None:
    redis.running.kill()


def pause(redis: RedisServer) -> None:
    redis.running.pause()


def mend(redis: RedisServer) -> None:
    if redis.running.is_running:
        redis.running.resume()
    else:
        redis.start()


@pytest.mark.parametrize("hurt", [kill, pause])
async def test_the_contract_holds_while_redis_is_hurt_and_after(
    hurt: Callable[[RedisServer], None], tmp_path: Path, postgres: PostgresServer
) -> None:
    async with pair(tmp_path, postgres) as both:
        await both.work(QUIET_S)
        give_up = time.monotonic() + 60
        while not both.history.reads[NEAR]:
            assert time.monotonic() < give_up
            await both.work(QUIET_S)
        healthy = Counter(both.history.reads)
        await asyncio.to_thread(hurt, both.redis)
        await both.work(HURT_S)
        await asyncio.to_thread(mend, both.redis)
        await both.work(HURT_S)
        print(dict(both.history.reads))
        assert both.history.wrong == []
        assert healthy[NEAR] > 0
        assert sum(map(len, both.history.acknowledged.values())) > len(KEYS)


async def test_what_is_written_through_one_gateway_is_soon_read_through_the_other(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    async with pair(tmp_path, postgres) as both:
        one, two = (client.table(both.name) for client in both.clients)
        assert await two.get("k") is None
        await one.put({"id": "k", "n": 1})
        async with asyncio.timeout(30):
            while (item := await two.get("k")) is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        # Absence is remembered for ten minutes: only news, or the bound, can have ended it.
        assert item.row["n"] == 1
        sources = {item.facts.source for item in [await two.get("k") for _ in range(5)] if item}
        assert Source.NEAR_CACHE in sources


async def test_a_gateway_whose_shared_cache_is_not_there_does_not_start(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    async with pair(tmp_path, postgres) as both:
        both.redis.stop()
        settings = (tmp_path / "0" / "taulu.yaml").read_text().partition("]\n")[2]
        late = GatewayProcess(tmp_path / "late", [tmp_path / "table.yaml"], settings=settings)
        with pytest.raises(AssertionError, match="did not start"):
            late.start()
