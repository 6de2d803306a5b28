"""The shared cache in Redis while servers and connections are lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from taulu.model import SystemClock, Unavailable
from taulu.spi import Ask, Carrier, Hit, Leased, SharedCache, SharedTier
from taulu_redis._driver import Connection, key_slot
from taulu_redis.settings import Address, parse_settings
from taulu_redis.subscription import Lost, Subscription, Terms
from tests.conformance.shared_cache import (
    LONG_US,
    NEWS_S_MAX,
    ask,
    fill,
    hold,
    leased,
    listening,
    loaded,
    lost,
    next_news,
    one,
    table,
)
from tests.integration.redis_opened import Options, opened, server_with
from tests.testbed.proxy import Proxy
from tests.testbed.redis_proxies import behind_proxies
from tests.testbed.redis_servers import (
    HOST,
    ClusterSet,
    RedisServer,
    SentinelSet,
    Standalone,
    call,
    info,
    wait_until,
)

pytestmark = pytest.mark.xdist_group("redis")

__all__ = ["table"]

ResultT = TypeVar("ResultT")
BOUNDED_S_MAX = 10.0
"""Far more than the bounds of calls, and far less than for ever."""
QUICK: Options = {"cache_timeout_s": 0.5, "news_timeout_s": 2.0}
PLACES = [b"%d" % i for i in range(50)]
CHANNEL = b"taulu:{cache:0}:news"


async def refused(work: Awaitable[object]) -> Unavailable:
    """Wait for a call that cannot be served; it must end by itself."""
    async with asyncio.timeout(BOUNDED_S_MAX):
        with pytest.raises(Unavailable) as trouble:
            await work
    return trouble.value


async def in_time(attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Try until it succeeds, as a gateway does."""
    give_up = time.monotonic() + 150
    while True:
        try:
            return await attempt()
        except Unavailable:
            assert time.monotonic() < give_up
            await asyncio.sleep(0.1)


async def held(tier: SharedTier, table: str) -> Ask:
    """Put an entry in, somewhere new: an attempt that failed may have left a lease behind."""
    asked = ask(uuid4().bytes)
    await hold(tier, table, asked)
    return asked


async def news_arrive(carrier: Carrier) -> None:
    """Listen and hear oneself, or raise `Unavailable`."""
    async with listening(carrier) as news:
        await carrier.send(b"again")
        while await next_news(news) != b"again":
            # What others sent, whose sending failed, may arrive late.
            pass


async def all_is_refused(shared: SharedCache, table: str) -> None:
    tier, carrier = shared.tier, shared.carrier
    await refused(tier.get(table, [ask()], LONG_US))
    await refused(tier.fill(table, [loaded(ask(), "lease", b"entry")]))
    await refused(tier.release(table, [(b"p", b"v", "lease")]))
    await refused(tier.drop(table, [b"p"]))
    await refused(carrier.send(b"news"))
    await refused(carrier.enrol("me"))
    await refused(carrier.members())
    await refused(carrier.strike("me"))
    await refused(anext(carrier.listen()))


@pytest.mark.parametrize("hurt", ["kill", "pause"])
async def test_a_shared_cache_without_its_server_says_so_in_time_and_comes_back(
    tmp_path: Path, table: str, hurt: str
) -> None:
    with server_with(tmp_path) as servers:
        options = {**servers.options, **QUICK, "connect_timeout_s": 1.0}
        async with opened(options, []) as (adapter, _):
            shared = adapter.shared_cache()
            await in_time(lambda: shared.carrier.enrol("me"))
            async with listening(shared.carrier) as news:
                getattr(servers.server.running, hurt)()
                async with asyncio.timeout(BOUNDED_S_MAX):
                    assert "listen again" in (await lost(news)).message
            await all_is_refused(shared, table)
            if hurt == "kill":
                await asyncio.to_thread(servers.start)
            else:
                servers.server.running.resume()
            await in_time(lambda: news_arrive(shared.carrier))
            await in_time(lambda: held(shared.tier, table))
            # A paused server strikes it off when it goes on, if that was sent.
            assert hurt == "pause" or "me" in await shared.carrier.members()


@pytest.mark.parametrize("hurt", [Proxy.cut, Proxy.silence], ids=["cut", "silent"])
async def test_a_listener_notices_that_its_connection_is_lost(
    redis_alone: Standalone, hurt: Callable[[Proxy], None]
) -> None:
    with behind_proxies([redis_alone.server]) as proxies:
        (proxy,) = proxies.values()
        async with opened({**redis_alone.options, **QUICK}, []) as (adapter, _):
            carrier = adapter.shared_cache().carrier
            async with listening(carrier) as news:
                await in_time(lambda: carrier.send(b"before"))
                assert await next_news(news) == b"before"
                await asyncio.to_thread(hurt, proxy)
                async with asyncio.timeout(BOUNDED_S_MAX):
                    await lost(news)
            await refused(anext(carrier.listen()))
            await asyncio.to_thread(proxy.mend)
            await in_time(lambda: news_arrive(carrier))


async def test_a_listener_that_hears_nothing_is_lost_though_its_server_answers(
    redis_alone: Standalone,
) -> None:
    settings = parse_settings({**redis_alone.options, **QUICK})
    server = redis_alone.server
    with Proxy((HOST, server.port)) as proxy:
        ear = Connection(Address(proxy.host, proxy.port), settings)
        mouth = Connection(Address(HOST, server.port), settings)
        await ear.connect()
        await mouth.connect()
        terms = Terms(b"{t}:news", b"{t}:echo", settings.news_timeout_s, 0)
        subscription = Subscription(terms, SystemClock(), ear, mouth)
        try:
            await subscription.begin()
            await asyncio.to_thread(proxy.silence)
            async with asyncio.timeout(BOUNDED_S_MAX):
                with pytest.raises(Lost, match="nothing is heard"):
                    await subscription.next()
        finally:
            await subscription.close()


async def test_a_listener_that_the_server_hangs_up_on_is_lost(redis_alone: Standalone) -> None:
    async with opened({**redis_alone.options, **QUICK}, []) as (adapter, _):
        carrier = adapter.shared_cache().carrier
        async with listening(carrier) as news:
            call(redis_alone.server.port, "CLIENT", "KILL", "TYPE", "pubsub")
            async with asyncio.timeout(BOUNDED_S_MAX):
                await lost(news)
        await in_time(lambda: news_arrive(carrier))


async def test_a_failover_of_sentinels_is_noticed_and_followed(
    redis_sentinel: SentinelSet, table: str
) -> None:
    await asyncio.to_thread(redis_sentinel.wait_whole)
    options = {**redis_sentinel.options, **QUICK, "quorum_replicas": None}
    async with (
        opened({**redis_sentinel.options, **QUICK}, []) as (sure, _),
        opened(options, []) as (adapter, _),
    ):
        await in_time(lambda: sure.shared_cache().carrier.enrol("survivor"))
        shared = adapter.shared_cache()
        old = redis_sentinel.primary()
        before = await in_time(lambda: held(shared.tier, table))
        async with listening(shared.carrier) as news:
            old.running.kill()
            try:
                async with asyncio.timeout(NEWS_S_MAX):
                    await lost(news)
                await in_time(lambda: news_arrive(shared.carrier))
                await in_time(lambda: held(shared.tier, table))
                await another_leads(redis_sentinel, old)
                # An attempt that was too slow may have left a lease; nothing leaves an old entry.
                answer = await in_time(lambda: one(shared.tier, table, before))
                assert not isinstance(answer, Hit)
                assert "survivor" in await in_time(shared.carrier.members)
            finally:
                await asyncio.to_thread(old.start)
        await in_time(lambda: news_arrive(sure.shared_cache().carrier))
        await in_time(lambda: sure.shared_cache().carrier.strike("survivor"))


async def test_a_tier_whose_sentinels_answer_late_finds_the_new_primary(
    redis_sentinel: SentinelSet, table: str
) -> None:
    """Finding it takes longer than one call may: a sentinel is silent, and nobody listens."""
    await asyncio.to_thread(redis_sentinel.wait_whole)
    options = {**redis_sentinel.options, "quorum_replicas": None, "discovery_timeout_s": 2.0}
    options |= {"cache_timeout_s": 0.25}
    with behind_proxies(redis_sentinel.watchers) as proxies:
        async with opened(options, []) as (adapter, _):
            tier = adapter.shared_cache().tier
            old = redis_sentinel.primary()
            await asyncio.to_thread(next(iter(proxies.values())).silence)
            old.running.kill()
            try:
                await in_time(lambda: held(tier, table))
                await another_leads(redis_sentinel, old)
            finally:
                await asyncio.to_thread(old.start)


async def test_a_deposed_primary_carries_no_news(redis_sentinel: SentinelSet) -> None:
    """It comes back, still thinks that it is primary, and nobody tells it otherwise."""
    await asyncio.to_thread(redis_sentinel.wait_whole)
    async with opened({**redis_sentinel.options, **QUICK}, []) as (adapter, _):
        carrier = adapter.shared_cache().carrier
        deposed = redis_sentinel.primary()
        deposed.running.pause()
        try:
            await another_leads(redis_sentinel, deposed)
            for watcher in redis_sentinel.watchers:
                watcher.running.kill()
            deposed.running.resume()
            assert info(deposed.port)["role"] == "master"
            await refused(carrier.send(b"to nobody"))
            await refused(carrier.enrol("nowhere"))
            await refused(carrier.members())
        finally:
            for watcher in redis_sentinel.watchers:
                await asyncio.to_thread(watcher.start)
        await in_time(lambda: news_arrive(carrier))


async def test_a_listener_whose_primary_is_not_confirmed_is_lost(
    redis_sentinel: SentinelSet,
) -> None:
    """The server lives and answers, and may all the same be primary no more."""
    await asyncio.to_thread(redis_sentinel.wait_whole)
    # Longer than a busy machine holds up an answer: the refusal is to come from the server.
    options = {**redis_sentinel.options, **QUICK, "news_timeout_s": 15.0}
    async with opened(options, []) as (adapter, _):
        carrier = adapter.shared_cache().carrier
        replica = next(s for s in redis_sentinel.servers if info(s.port)["role"] == "slave")
        await in_time(lambda: news_arrive(carrier))
        async with listening(carrier) as news:
            replica.running.pause()
            try:
                async with asyncio.timeout(NEWS_S_MAX):
                    assert "still primary" in (await lost(news)).message
            finally:
                replica.running.resume()
        await in_time(lambda: news_arrive(carrier))


async def test_a_failover_of_a_cluster_is_noticed_and_followed(
    redis_cluster: ClusterSet, table: str
) -> None:
    await asyncio.to_thread(redis_cluster.wait_whole)
    options = {**redis_cluster.options, **QUICK, "quorum_replicas": None}
    async with opened(options, []) as (adapter, _):
        shared = adapter.shared_cache()
        old = owner_of(redis_cluster, CHANNEL)
        async with listening(shared.carrier) as news:
            old.running.kill()
            try:
                async with asyncio.timeout(NEWS_S_MAX):
                    await lost(news)
                await in_time(lambda: news_arrive(shared.carrier))
                await in_time(lambda: shared.tier.drop(table, PLACES))
                # Fresh ones each time: an attempt that was too slow may have left leases.
                answers = await in_time(
                    lambda: shared.tier.get(
                        table, [ask(place, uuid4().bytes) for place in PLACES], LONG_US
                    )
                )
                assert all(isinstance(answer, Leased) for answer in answers)
            finally:
                await asyncio.to_thread(old.start)


async def test_a_batch_that_fails_in_part_leaves_no_lease_behind(
    redis_cluster: ClusterSet, table: str
) -> None:
    await asyncio.to_thread(redis_cluster.wait_whole)
    first, second = redis_cluster.primary_servers()[:2]
    with behind_proxies([first]) as proxies:
        # What is silent must not keep calls of others waiting while it is looked for.
        options = {**redis_cluster.options, "cache_timeout_s": 3.0, "discovery_timeout_s": 30.0}
        async with opened(options, []) as (adapter, _):
            tier = adapter.shared_cache().tier
            here, there = (place_on(redis_cluster, server, table) for server in (first, second))
            await leased(tier, table, ask(here, b"warm"))
            await asyncio.to_thread(proxies[first.port].silence)
            await refused(tier.get(table, [ask(here), ask(there)], LONG_US))
            lease = await leased(tier, table, ask(there))
            assert await fill(tier, table, loaded(ask(there), lease, b"entry"))
            assert await one(tier, table, ask(there)) == Hit(b"entry")
            await asyncio.to_thread(proxies[first.port].mend)


async def another_leads(servers: SentinelSet, old: RedisServer) -> None:
    """Wait until the sentinels name another server; what most say, the first may not know yet."""
    await asyncio.to_thread(wait_until, "a failover", lambda: servers.primary() is not old)


def owner_of(cluster: ClusterSet, key: bytes) -> RedisServer:
    """Return the primary that has a key's slot."""
    slots = call(cluster.servers[0].port, "CLUSTER", "SLOTS")
    assert isinstance(slots, list)
    for first, last, primary, *_ in slots:
        if first <= key_slot(key) <= last:
            return next(server for server in cluster.servers if server.port == primary[1])
    raise AssertionError("nobody has the slot")


def place_on(cluster: ClusterSet, server: RedisServer, table: str) -> bytes:
    """Return a place that one primary has."""
    places = (b"%d" % i for i in range(1_000))
    return next(
        place
        for place in places
        if owner_of(cluster, f"taulu:cached:{table}:".encode() + place) is server
    )
