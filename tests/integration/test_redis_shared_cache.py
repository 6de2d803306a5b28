"""The shared cache in Redis, against the contract that it shares with the one in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from taulu.model import SystemClock, Unavailable
from taulu.spi import Busy, Fill, Hit, Leased, SharedCache
from tests.conformance.shared_cache import (
    LONG_US,
    SHORT_US,
    CarrierContract,
    Elapse,
    TierContract,
    ask,
    carrier,
    fill,
    hold,
    leased,
    listening,
    loaded,
    lost,
    next_news,
    one,
    table,
    tier,
)
from tests.integration.redis_opened import Options, fields_of, keys_of, opened, server_with
from tests.testbed.redis_servers import ClusterSet, RedisServer, SentinelSet, Standalone, call, info

pytestmark = pytest.mark.xdist_group("redis")

__all__ = ["carrier", "table", "tier"]

PATIENT: Options = {
    "cache_timeout_s": 20.0,
    "news_timeout_s": 20.0,
    "connect_timeout_s": 20.0,
    "replication_timeout_s": 20.0,
    "discovery_timeout_s": 20.0,
}
"""For tests in which nothing is broken, on a machine however slow."""
EXPIRY_MARGIN_S = 0.05
NEVER_ENDS = -1
"""What PTTL says of a key without an end."""


@pytest.fixture(params=["redis_alone", "redis_sentinel", "redis_cluster"])
async def shared(request: pytest.FixtureRequest) -> AsyncGenerator[SharedCache]:
    servers: Standalone | SentinelSet | ClusterSet = request.getfixturevalue(request.param)
    if not isinstance(servers, Standalone):
        await asyncio.to_thread(servers.wait_whole)
    async with opened({**servers.options, **PATIENT}, []) as (adapter, _):
        yield adapter.shared_cache()


@pytest.fixture
def elapse() -> Elapse:
    async def wait(time_us: int) -> None:
        await asyncio.sleep(time_us / 1_000_000 + EXPIRY_MARGIN_S)

    return wait


class TestTier(TierContract):
    """The contract of a tier."""


class TestCarrier(CarrierContract):
    """The contract of a carrier."""


def place_of(table: str) -> str:
    return f"taulu:cached:{table}:p"


def as_int(found: object) -> int:
    assert isinstance(found, int)
    return found


async def test_a_place_is_kept_as_long_as_the_longest_of_what_is_in_it(
    redis_alone: Standalone, table: str
) -> None:
    port = redis_alone.server.port
    async with opened({**redis_alone.options, **PATIENT}, []) as (adapter, _):
        tier = adapter.shared_cache().tier
        await leased(tier, table, ask(variant=b"abandoned"), SHORT_US)
        assert as_int(call(port, "PTTL", place_of(table))) != NEVER_ENDS
        for variant, ttl_us in ((b"long", 2 * SHORT_US), (b"short", SHORT_US)):
            lease = await leased(tier, table, ask(variant=variant), SHORT_US * 2)
            filled = Fill(b"p", variant, lease, 1, 1, b"entry", ttl_us)
            # A machine that was held up may find the lease run out; the place ends all the same.
            await fill(tier, table, filled)
        left_ms = as_int(call(port, "PTTL", place_of(table)))
        assert left_ms <= 2 * SHORT_US / 1_000
        give_up = time.monotonic() + 30
        while keys_of(redis_alone.server, place_of(table)):
            assert time.monotonic() < give_up
            await asyncio.sleep(EXPIRY_MARGIN_S)
        await hold(tier, table, ask())
        assert as_int(call(port, "PTTL", place_of(table))) > LONG_US / 2_000


async def test_variants_that_nobody_asks_for_again_leave_a_place_that_lives_on(
    redis_alone: Standalone, table: str, elapse: Elapse
) -> None:
    async with opened({**redis_alone.options, **PATIENT}, []) as (adapter, _):
        tier = adapter.shared_cache().tier
        brief = [ask(variant=b"brief %d" % i) for i in range(200)]
        answers = await tier.get(table, brief, LONG_US)
        names = [answer.lease for answer in answers if isinstance(answer, Leased)]
        fills = [
            Fill(b"p", asked.variant, name, 1, 1, b"entry", 1)
            for asked, name in zip(brief, names, strict=True)
        ]
        await tier.fill(table, fills[:100])
        abandoned = [ask(variant=b"abandoned %d" % i) for i in range(100)]
        await tier.get(table, abandoned, 1)
        await elapse(SHORT_US)
        for i in range(200):
            await hold(tier, table, ask(variant=b"kept %d" % i))
        fields = fields_of(redis_alone.server, place_of(table))
        gone = [name for name in fields if "brief" in name and "lease" not in name]
        assert len(gone) < 100
        assert len([name for name in fields if "lease:abandoned" in name]) < 50
        assert len([name for name in fields if "entry:kept" in name]) == 200
        assert len([name for name in fields if "lease:brief" in name]) == 100


async def test_the_tier_is_legible(redis_alone: Standalone, table: str) -> None:
    async with opened({**redis_alone.options, **PATIENT}, []) as (adapter, _):
        tier = adapter.shared_cache().tier
        await hold(tier, table, ask())
        lease = await leased(tier, table, ask(as_of=500))
        fields = fields_of(redis_alone.server, place_of(table))
        assert set(fields) == {"facts:v", "entry:v", "lease:v"}
        assert fields["facts:v"].split(" ")[:2] == ["100", "10"]
        assert fields["entry:v"] == "entry"
        run = info(redis_alone.server.port)["run_id"]
        assert fields["facts:v"].split(" ")[3] == run
        assert fields["lease:v"].split(" ")[1:] == [lease, run]


async def test_a_user_of_the_cache_needs_no_more_rights_than_the_readme_says(
    tmp_path: Path, table: str
) -> None:
    rights = "+@read +@write +@scripting +config|get +role +wait +asking +cluster|nodes +ping"
    rights += " +info +time &taulu:* +publish +subscribe"
    with server_with(tmp_path) as servers:
        words = ["ACL", "SETUSER", "taulu", "on", ">open-sesame", "~taulu:*"]
        call(servers.server.port, *words, *rights.split(" "))
        login: Options = {"username": "taulu", "password": "open-sesame", **PATIENT}
        async with opened({**servers.options, **login}, []) as (adapter, _):
            shared = adapter.shared_cache()
            await hold(shared.tier, table, ask())
            await shared.tier.release(table, [(b"p", b"v", "none")])
            await shared.tier.drop(table, [b"p"])
            await shared.carrier.enrol("me")
            assert await shared.carrier.members() == {"me"}
            await shared.carrier.strike("me")
            async with listening(shared.carrier) as news:
                await shared.carrier.send(b"news")
                assert await next_news(news) == b"news"
        call(servers.server.port, "ACL", "SETUSER", "taulu", "resetchannels", "-info")
        async with opened({**servers.options, **login}, []) as (adapter, _):
            with pytest.raises(Unavailable, match=r"allow \+info"):
                await one(adapter.shared_cache().tier, table, ask())
            with pytest.raises(Unavailable, match="channel"):
                await anext(adapter.shared_cache().carrier.listen())


async def test_a_server_without_memory_still_hits_and_drops(tmp_path: Path, table: str) -> None:
    with server_with(tmp_path) as servers:
        async with opened({**servers.options, **PATIENT}, []) as (adapter, _):
            tier = adapter.shared_cache().tier
            await hold(tier, table, ask())
            lease = await leased(tier, table, ask(variant=b"w"))
            call(servers.server.port, "CONFIG", "SET", "maxmemory", "1mb")
            assert await one(tier, table, ask()) == Hit(b"entry")
            with pytest.raises(Unavailable, match="memory"):
                await one(tier, table, ask(b"q"))
            with pytest.raises(Unavailable, match="memory"):
                await fill(tier, table, loaded(ask(variant=b"w"), lease, b"entry"))
            await tier.release(table, [(b"p", b"w", lease)])
            await tier.drop(table, [b"p"])
            assert keys_of(servers.server, place_of(table)) == []


async def test_a_server_that_forgot_the_scripts_serves_the_tier_again(
    redis_alone: Standalone, table: str
) -> None:
    async with opened({**redis_alone.options, **PATIENT}, []) as (adapter, _):
        tier = adapter.shared_cache().tier
        await hold(tier, table, ask())
        call(redis_alone.server.port, "SCRIPT", "FLUSH")
        assert await one(tier, table, ask()) == Hit(b"entry")


async def test_what_a_former_run_of_the_server_kept_is_void(tmp_path: Path, table: str) -> None:
    """It may have missed a drop, as a snapshot or a replica may."""
    with server_with(tmp_path) as servers:
        async with opened({**servers.options, **PATIENT}, []) as (adapter, _):
            tier = adapter.shared_cache().tier
            await hold(tier, table, ask())
            slow = await leased(tier, table, ask(variant=b"w"))
            call(servers.server.port, "CLIENT", "KILL", "TYPE", "normal")
            assert await one(tier, table, ask()) == Hit(b"entry")
            assert await one(tier, table, ask(variant=b"w")) == Busy()
            servers.server.running.kill()
            await asyncio.to_thread(servers.start)
            assert set(fields_of(servers.server, place_of(table))) >= {"entry:v", "lease:w"}
            assert not await fill(tier, table, loaded(ask(variant=b"w"), slow, b"old"))
            for asked in (ask(), ask(variant=b"w")):
                lease = await leased(tier, table, asked)
                assert await fill(tier, table, loaded(asked, lease, b"new"))
                assert await one(tier, table, asked) == Hit(b"new")


async def test_the_list_of_members_says_since_when_it_was_kept(tmp_path: Path) -> None:
    clock = SystemClock()
    with server_with(tmp_path) as servers:
        async with opened({**servers.options, **PATIENT}, []) as (adapter, _):
            carrier = adapter.shared_cache().carrier
            begun_us = clock.now_us()
            await carrier.enrol("first")
            since_us = await carrier.kept_since_us()
            assert begun_us <= since_us <= clock.now_us()
            await carrier.enrol("second")
            await carrier.strike("first")
            assert await carrier.kept_since_us() == since_us
            assert await carrier.members() == {"second"}
            call(servers.server.port, "FLUSHALL")
            lost_us = clock.now_us()
            assert await carrier.kept_since_us() >= lost_us
            await carrier.enrol("second")
            assert lost_us <= await carrier.kept_since_us() <= clock.now_us()


async def test_databases_of_one_server_share_nothing(redis_alone: Standalone, table: str) -> None:
    options = {**redis_alone.options, **PATIENT}
    async with opened(options, []) as (one_, _), opened({**options, "db": 1}, []) as (other, _):
        mine, theirs = one_.shared_cache(), other.shared_cache()
        await hold(mine.tier, table, ask())
        assert isinstance(await one(theirs.tier, table, ask()), Leased)
        await mine.carrier.enrol("mine")
        assert "mine" not in await theirs.carrier.members()
        async with listening(theirs.carrier) as news:
            await mine.carrier.send(b"mine")
            await theirs.carrier.send(b"theirs")
            assert await next_news(news) == b"theirs"
        await mine.carrier.strike("mine")


def publishes(server: RedisServer) -> int:
    """Return how often anything was published so far."""
    stats = str(call(server.port, "INFO", "COMMANDSTATS"))
    return int(stats.partition("cmdstat_publish:calls=")[2].partition(",")[0] or 0)


async def test_a_listener_that_hears_no_news_for_long_is_not_lost(
    redis_alone: Standalone,
) -> None:
    options = {**redis_alone.options, **PATIENT, "news_timeout_s": 3.0}
    async with opened(options, []) as (adapter, _):
        carrier = adapter.shared_cache().carrier
        async with listening(carrier) as news:
            heard = asyncio.ensure_future(next_news(news))
            wanted = publishes(redis_alone.server) + 4
            give_up = time.monotonic() + 25
            while publishes(redis_alone.server) < wanted:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.1)
            assert not heard.done()
            await carrier.send(b"at last")
            assert await heard == b"at last"


async def test_a_listener_that_was_busy_itself_is_not_lost(redis_alone: Standalone) -> None:
    options = {**redis_alone.options, **PATIENT, "news_timeout_s": 2.0}
    async with opened(options, []) as (adapter, _):
        carrier = adapter.shared_cache().carrier
        async with listening(carrier) as news:
            for i in range(3):
                await carrier.send(b"%d" % i)
            assert await next_news(news) == b"0"
            await asyncio.sleep(2.5)
            assert await next_news(news) == b"1"
            time.sleep(2.5)  # noqa: ASYNC251 - the whole process is held up
            assert await next_news(news) == b"2"


async def test_closing_the_adapter_ends_its_listeners(redis_alone: Standalone) -> None:
    async with (
        opened({**redis_alone.options, **PATIENT}, []) as (adapter, _),
        listening(adapter.shared_cache().carrier) as news,
    ):
        waiting = asyncio.ensure_future(lost(news))
        await asyncio.sleep(0)
        await adapter.close()
        assert "closed" in (await waiting).message
