"""A client of a simulation: the real cache of a client, and its real feed, over slow ways.

Each call goes to any gateway, as behind a proxy, and the feed comes from one of them, by the
gateways' own service. What is simulated is the way: each message takes its time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from taulu.gateway import Binding, Gateway
from taulu.model import (
    Consistency,
    Facts,
    Failed,
    GetRows,
    Key,
    RowReads,
    Table,
    TauluError,
    Unavailable,
    WriteRows,
)
from taulu.server.cache_service import CacheService
from taulu.server.method import Call
from taulu.spi import Adapter, Context
from taulu.v1 import cache_pb2, catalog_pb2, data_pb2
from taulu.wire.facts import facts_message
from taulu.wire.values import duration_message
from taulu_client import rpc
from taulu_client.cache_feed import Feed
from taulu_client.cache_plan import CachePlan
from taulu_client.row_cache import Got, RowCache, Want
from taulu_client.row_fetch import Fetched, facts_of_call
from taulu_client.table_info import TableInfo, table_info
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_store import ModelAdapter
from tests.cache.sim_time import SimClock


@dataclass(slots=True)
class Ways:
    """How long a message takes, and how often it takes much longer."""

    choose: random.Random
    usual_s: float = 0.005
    slow_share: float = 0.0
    slow_s: float = 0.0

    async def pass_one(self) -> None:
        is_slow = self.choose.random() < self.slow_share
        await asyncio.sleep(self.choose.expovariate(1 / (self.slow_s if is_slow else self.usual_s)))


@dataclass(slots=True)
class SimRpc:
    """Carries the calls of a feed to the services of a gateway that is up."""

    gateways: Sequence[SimGateway]
    ways: Ways
    watched: SimGateway | None = None

    def _up(self) -> SimGateway:
        up = [gateway for gateway in self.gateways if gateway.is_up]
        if not up:
            raise Unavailable("no gateway is up")
        return self.ways.choose.choice(up)

    async def call(self, method: Any, request: Any, timeout_s: float) -> Any:
        """Describe a table."""
        await self.ways.pass_one()
        gateway = self._up()
        assert method is rpc.GET_TABLE
        table = next(t for t in gateway.tables if t.full_name == request.table)
        return catalog_pb2.GetTableResponse(table=described(table, gateway))

    async def stream(
        self, method: Any, request: cache_pb2.WatchRequest, timeout_s: float | None
    ) -> AsyncGenerator[Any]:
        """Stream the news of one gateway until it is no more."""
        assert method is rpc.WATCH
        await self.ways.pass_one()
        gateway = self.watched = self._up()
        room = gateway.room
        worker = cache_pb2.Worker(run=run_of(gateway))
        service = CacheService(whole(gateway), gateway.clock, worker)
        call = Call(Context(float("inf")), has_deadline=False)
        news = cast(AsyncGenerator[Any], service.watch(request, call))
        async with aclosing(news):
            async for message in news:
                if not gateway.is_up or gateway.room is not room:
                    raise Unavailable("the gateway that was watched is no more")
                await self.ways.pass_one()
                yield message


def whole(gateway: SimGateway) -> Gateway:
    """Return a simulated gateway as the services see one."""
    bindings = {
        table.full_name: Binding(table, cast(Adapter, None), made.handler, made.cached)
        for table in gateway.tables
        if (made := gateway.pipelines.get(table.full_name)) is not None
    }
    return Gateway(bindings, gateway.room, run_of(gateway))


def run_of(gateway: SimGateway) -> int:
    """Return a number for this life of a gateway."""
    return int(gateway.name.removeprefix("g")) * 1_000_000 + gateway.lives


def described(table: Table, gateway: SimGateway) -> catalog_pb2.Table:
    """Describe a table as the catalogue does."""
    policy = table.cache
    assert policy is not None
    return catalog_pb2.Table(
        name=table.full_name,
        kind=catalog_pb2.TABLE_KIND_KV,
        columns=[
            catalog_pb2.Column(name="id", type="string", role=catalog_pb2.COLUMN_ROLE_PARTITION_KEY)
        ],
        capabilities=[feature.value for feature in ModelAdapter.capabilities.features],
        read_consistency=cast(Any, table.read_level.value),
        write_consistency=cast(Any, table.write_level.value),
        cache=catalog_pb2.CacheInfo(
            tiers=policy.tiers,
            ttl=duration_message(policy.ttl_us),
            negative_ttl=duration_message(policy.negative_ttl_us),
            staleness=duration_message(policy.staleness_us),
            clock_skew=duration_message(int(gateway.options.clock_skew_s * 1e6)),
        ),
    )


@dataclass(slots=True)
class SimClient:
    """Looks like a gateway to the traffic of a simulation, and keeps rows of kv tables."""

    name: str
    clock: SimClock
    gateways: Sequence[SimGateway]
    ways: Ways
    feed: Feed = field(init=False)
    caches: dict[str, RowCache] = field(default_factory=dict[str, RowCache])
    is_up: bool = True

    def __post_init__(self) -> None:
        calls = SimRpc(self.gateways, self.ways)
        self.feed = Feed(cast(Any, calls), self.clock, choose=self.ways.choose)

    def open(self) -> None:
        """Begin to watch all tables with one row in each partition."""
        for table in self.gateways[0].tables:
            if not table.clustering_key:
                info: TableInfo = table_info(described(table, self.gateways[0]))
                cache = RowCache(CachePlan(info), self.feed, clock=self.clock)
                self.caches[table.full_name] = cache
                self.feed.add(table.full_name, cache)

    async def close(self) -> None:
        """End the feed and all loads."""
        await self.feed.close()
        for cache in self.caches.values():
            cache.close()

    async def call(self, operation: Any, patience_s: float) -> Any:
        """Carry out a call as a product service sees it."""
        cache = self.caches.get(operation.table)
        match operation:
            case GetRows(keys=keys, consistency=wanted) if cache is not None and cache.plan.serves(
                wanted, operation.columns
            ):
                return await self._get(cache, keys, wanted, patience_s)
            case WriteRows(units=units) if cache is not None:
                try:
                    return await self._ask(operation, patience_s)
                finally:
                    cache.wrote(units)
            case _:
                return await self._ask(operation, patience_s)

    async def _ask(self, operation: Any, patience_s: float) -> Any:
        await self.ways.pass_one()
        gateway = self.ways.choose.choice(self.gateways)
        result = await gateway.call(operation, patience_s)
        await self.ways.pass_one()
        return result

    async def _get(
        self, cache: RowCache, keys: Sequence[Key], wanted: Consistency, patience_s: float
    ) -> RowReads:
        async def load(missing: Sequence[Key]) -> list[Fetched | Failed]:
            return await self._fetch(cache, missing, wanted, patience_s)

        wants: list[Want] = []
        for key in keys:
            place = cache.plan.place(key.partition)
            assert place is not None
            wants.append(Want(place, key))
        served = await cache.read(wants, wanted, load)
        found = [got for got in served if isinstance(got, Got)]
        if not found:
            (error, *_) = (got for got in served if isinstance(got, TauluError))
            raise error
        outcomes = tuple(got.value if isinstance(got, Got) else Failed(got) for got in served)
        return RowReads(outcomes, _weakest([got.facts for got in found]))

    async def _fetch(
        self, cache: RowCache, keys: Sequence[Key], wanted: Consistency, patience_s: float
    ) -> list[Fetched | Failed]:
        sent_s, sent_us = self.clock.monotonic(), self.clock.now_us()
        await self.ways.pass_one()
        # Mostly the gateway that is watched, as on one connection; else any.
        watched = cast(SimRpc, self.feed.rpc).watched
        gateway = watched if watched is not None and self.ways.choose.random() < 0.7 else None
        gateway = gateway or self.ways.choose.choice(self.gateways)
        operation = GetRows(cache.plan.info.name, tuple(keys), consistency=wanted)
        run = run_of(gateway)
        result = await gateway.call(operation, patience_s)
        assert isinstance(result, RowReads)
        reply = facts_message(result.facts, gateway.clock, run)
        await self.ways.pass_one()
        facts, message = facts_of_call(reply, sent_us), data_pb2.RowOutcome()
        return [
            got if isinstance(got, Failed) else Fetched(got, facts, reply, message, sent_s)
            for got in result.outcomes
        ]


def _weakest(facts: Sequence[Facts]) -> Facts:
    """Return what the weakest of the rows was given, as a reply for all would say."""
    first = min(facts, key=lambda each: each.level)
    sources = {each.source for each in facts}
    return Facts(
        first.level,
        max(each.version for each in facts),
        min(each.as_of_us for each in facts),
        first.source if len(sources) == 1 else facts[0].source,
        max(each.session_us for each in facts),
        any(each.is_stale for each in facts),
    )
