"""The suite on Redis: alone (directly and through a gateway), behind Sentinel, and in a Cluster."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from taulu.conformance import ConformanceSuite, Execute, Harness, ShiftedClock
from taulu.model import Table
from taulu.spi import Capabilities, Environment
from taulu_redis import RedisAdapter
from tests.conformance.adapters import direct, through_gateway
from tests.testbed.redis_servers import PATIENT, ClusterSet, SentinelSet, Standalone, calm

pytestmark = pytest.mark.xdist_group("redis")

Options = dict[str, object]


def capabilities_with(options: Options) -> Capabilities:
    return RedisAdapter.create(options, Environment()).capabilities


def harness_of(options: Options) -> Harness:
    capabilities = capabilities_with(options)
    return direct(RedisAdapter, options, is_durable=True, capabilities=capabilities)


def killed(harness: Harness, servers: Standalone) -> Harness:
    """Let the suite end the server by SIGKILL; whoever begins anew finds it started again."""

    @asynccontextmanager
    async def start(tables: Sequence[Table], clock: ShiftedClock) -> AsyncGenerator[Execute]:
        if not servers.server.running.is_running:
            servers.start()
        async with harness.start(tables, clock) as execute:
            yield execute

    async def kill() -> None:
        servers.server.running.kill()

    return replace(harness, start=start, kill=kill)


class TestRedis(ConformanceSuite):
    @pytest.fixture
    def harness(self, redis_alone: Standalone) -> Harness:
        return killed(harness_of(redis_alone.options), redis_alone)


class TestRedisGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, redis_alone: Standalone) -> Harness:
        options = redis_alone.options
        capabilities = capabilities_with(options)
        return killed(through_gateway("redis", options, capabilities=capabilities), redis_alone)


@pytest.fixture(scope="class")
def calm_sentinel(redis_sentinel: SentinelSet) -> Generator[SentinelSet]:
    # A busy machine is no fault; what a lost server costs, the fault tests show.
    with calm(redis_sentinel):
        yield redis_sentinel


@pytest.fixture(scope="class")
def calm_cluster(redis_cluster: ClusterSet) -> Generator[ClusterSet]:
    with calm(redis_cluster):
        yield redis_cluster


class TestRedisSentinel(ConformanceSuite):
    @pytest.fixture
    def harness(self, calm_sentinel: SentinelSet) -> Harness:
        return harness_of({**calm_sentinel.options, **PATIENT})


class TestRedisSentinelUnconfirmed(ConformanceSuite):
    """Without `quorum_replicas` there is less to promise, and it is kept."""

    @pytest.fixture
    def harness(self, calm_sentinel: SentinelSet) -> Harness:
        return harness_of({**calm_sentinel.options, "quorum_replicas": None})


class TestRedisCluster(ConformanceSuite):
    @pytest.fixture
    def harness(self, calm_cluster: ClusterSet) -> Harness:
        return harness_of({**calm_cluster.options, **PATIENT})
