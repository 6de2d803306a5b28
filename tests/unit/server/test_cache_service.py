"""`CacheService` over a real gateway in the test's process, called as its transport calls it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

import pytest

from taulu.cache.near import Place
from taulu.cache.stats import CacheStats
from taulu.cache.watchers import WAITING_MAX
from taulu.gateway import Gateway, GatewayOptions, StorageTarget, open_gateway
from taulu.model import (
    CachePolicy,
    Consistency,
    Delete,
    GetRows,
    IdempotencyToken,
    InvalidArgument,
    Key,
    Level,
    LimitExceeded,
    Overloaded,
    SystemClock,
    Unavailable,
    UnknownTable,
    Unsupported,
    WriteRows,
    WriteUnit,
)
from taulu.server import cache_counts, cache_service
from taulu.server.cache_service import CacheService, worker_message
from taulu.server.catalog_service import CatalogService
from taulu.server.method import Call
from taulu.spi import Context, Environment
from taulu.v1 import cache_pb2 as pb
from taulu.v1 import catalog_pb2
from tests.unit.policy.cached_store import USERS
from tests.unit.policy.parts import ORDERS

CLOCK = SystemClock()
NAME = USERS.full_name
PLACE = Place(NAME, b"ada\0\1")
POLICY = CachePolicy(("near",), ttl_us=3_600_000_000, negative_ttl_us=60_000_000)


@dataclass
class Subject:
    gateway: Gateway
    service: CacheService

    def call(self) -> Call:
        return Call(Context(CLOCK.monotonic() + 60), has_deadline=False)

    def watch(self, *tables: str, call: Call | None = None) -> AsyncGenerator[pb.WatchResponse]:
        return self.service.watch(pb.WatchRequest(tables=tables), call or self.call())  # type: ignore[return-value]

    async def read(self, *names: str) -> None:
        operation = GetRows(
            NAME, tuple(Key((n,)) for n in names), consistency=Consistency(Level.EVENTUAL)
        )
        await self.gateway(operation, Context(CLOCK.monotonic() + 60))

    async def write(self, name: str) -> None:
        token = IdempotencyToken(CLOCK.now_us(), f"nonce-{CLOCK.now_us()}")
        unit = WriteUnit((Delete(Key((name,))),), token)
        await self.gateway(WriteRows(NAME, (unit,)), Context(CLOCK.monotonic() + 60))

    async def stats(self, table: str = "") -> pb.GetCacheStatsResponse:
        return await self.service.get_cache_stats(pb.GetCacheStatsRequest(table=table), self.call())


@pytest.fixture
async def subject() -> AsyncGenerator[Subject]:
    tables = [replace(USERS, cache=POLICY, storage="memory"), replace(ORDERS, storage="memory")]
    options = GatewayOptions({"memory": StorageTarget("memory", {})})
    environment = Environment(server_id="mine")
    async with open_gateway(tables, options, environment) as gateway:
        worker = worker_message(environment, gateway.run)
        yield Subject(gateway, CacheService(gateway, CLOCK, worker))


async def test_the_first_response_says_who_answers_and_what_is_vouched_for(
    subject: Subject,
) -> None:
    async with aclosing(subject.watch(NAME)) as news:
        first = await anext(news)
        assert first.worker == pb.Worker(server_id="mine", count=1, run=subject.gateway.run)
        assert first.worker.run > 0
        (vouching,) = first.vouchings
        assert (vouching.table, vouching.vouched) == (NAME, True)
        assert vouching.since_us <= vouching.until_us == first.sent_us
        assert not first.invalidations
        assert (await subject.stats()).watchers == 1
    assert (await subject.stats()).watchers == 0


async def test_a_write_is_told_at_once_and_silence_by_a_beat(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aclosing(subject.watch(NAME)) as news:
        first = await anext(news)
        await subject.write("ada")
        told = await anext(news)
        assert told.invalidations == [pb.Invalidation(table=NAME, places=[PLACE.key])]
        monkeypatch.setattr(cache_service, "BEAT_S", 0.01)
        beat = await anext(news)
        assert not beat.invalidations
        assert beat.vouchings[0].until_us >= told.vouchings[0].until_us > 0
        assert beat.sent_us >= told.sent_us >= first.sent_us


async def test_a_client_that_does_not_keep_up_is_told_so_once(subject: Subject) -> None:
    async with aclosing(subject.watch(NAME)) as news:
        await anext(news)
        assert subject.gateway.room is not None
        subject.gateway.room.drop([PLACE] * (WAITING_MAX + 1))
        assert (await anext(news)).missed
        subject.gateway.room.drop([PLACE])
        after = await anext(news)
        assert not after.missed
        assert after.invalidations[0].places == [PLACE.key]


async def test_a_stream_ends_when_the_worker_stops(subject: Subject) -> None:
    call = subject.call()
    news = subject.watch(NAME, call=call)
    await anext(news)
    call.draining.set()
    with pytest.raises(Unavailable, match="stopping"):
        await anext(news)


@pytest.mark.parametrize(
    ("tables", "error"),
    [
        ((), InvalidArgument),
        (("a.b",) * 201, InvalidArgument),
        (("shop.nothing",), UnknownTable),
        (("shop.orders",), Unsupported),
    ],
)
async def test_what_cannot_be_watched_is_refused(subject: Subject, tables, error) -> None:
    with pytest.raises(error):
        await anext(subject.watch(*tables))


async def test_a_worker_tells_so_many_clients_and_no_more(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_service, "WATCHERS_MAX", 1)
    async with aclosing(subject.watch(NAME)) as news:
        await anext(news)
        with pytest.raises(Overloaded, match="limit"):
            await anext(subject.watch(NAME))


async def test_a_verification_counts_what_it_compared(subject: Subject) -> None:
    await subject.read("ada", "bob")
    request = pb.VerifyCacheRequest(table=NAME)
    async with aclosing(subject.service.verify_cache(request, subject.call())) as replies:  # type: ignore[type-var]
        last = [reply async for reply in replies][-1]
    assert (last.sampled, last.done, last.checked, last.beyond) == (2, 2, 2, 0)
    assert last.bound.ToMicroseconds() == POLICY.staleness_us
    assert last.worker.server_id == "mine"
    (table,) = (await subject.stats(NAME)).tables
    assert table.counts["checked"] == 2


async def test_verifications_have_limits(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    async def verify(table: str, size: int) -> None:
        request = pb.VerifyCacheRequest(table=table, sample_size=size)
        async for _ in subject.service.verify_cache(request, subject.call()):
            pass

    for size in (-1, 100_001):
        with pytest.raises(LimitExceeded, match="sample_size"):
            await verify(NAME, size)
    with pytest.raises(Unsupported, match="`cache`"):
        await verify("shop.orders", 1)
    monkeypatch.setattr(cache_service, "VERIFICATIONS_MAX", 0)
    with pytest.raises(Overloaded):
        await verify(NAME, 1)
    assert subject.service.verifications == 0


async def test_counts_and_the_hottest_places(subject: Subject) -> None:
    for _ in range(40):
        await subject.read("ada")
    await subject.write("ada")
    found = await subject.stats()
    (table,) = found.tables
    assert (table.table, table.vouched, table.why_not) == (NAME, True, "")
    assert (table.counts["loads"], table.counts["near_hits"], table.counts["drops"]) == (1, 39, 1)
    assert table.hit_ratio == pytest.approx(39 / 40)
    assert (table.near_places, found.near_places) == (0, 0)
    (hot,) = table.hottest
    assert (hot.partition[0].string_value, hot.share) == ("ada", 1.0)
    assert found.near_bytes_max > 0
    # One worker needs no channel to itself.
    assert not found.channels


def test_a_ratio_of_nothing_is_none_and_refreshes_keep_nobody_waiting() -> None:
    stats = CacheStats()
    assert cache_counts.hit_ratio(stats) == 0.0
    stats.near_hits, stats.loads, stats.refreshes, stats.passes = 6, 5, 3, 2
    assert cache_counts.hit_ratio(stats) == pytest.approx(0.6)


async def test_the_catalog_tells_how_a_table_is_cached(subject: Subject) -> None:
    service = CatalogService(subject.gateway, 1_000)
    reply = await service.get_table(catalog_pb2.GetTableRequest(table=NAME), subject.call())
    cache = reply.table.cache
    assert list(cache.tiers) == ["near"]
    assert (cache.ttl.seconds, cache.negative_ttl.seconds, cache.staleness.seconds) == (
        3_600,
        60,
        5,
    )
    plain = await service.get_table(
        catalog_pb2.GetTableRequest(table="shop.orders"), subject.call()
    )
    assert not plain.table.HasField("cache")
