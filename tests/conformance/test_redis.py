"""The suite on Redis: alone (directly and through a gateway), behind Sentinel, and in a Cluster."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu.spi import Environment
from taulu_redis import RedisAdapter
from tests.conformance.adapters import direct, through_gateway
from tests.testbed.redis_servers import ClusterSet, SentinelSet, Standalone

pytestmark = pytest.mark.xdist_group("redis")

Options = dict[str, object]


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Generator[Options]:
    servers = Standalone(tmp_path_factory.mktemp("redis"))
    try:
        yield servers.start().options
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Generator[Options]:
    servers = SentinelSet(tmp_path_factory.mktemp("sentinel"))
    try:
        yield servers.start().options
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Options]:
    servers = ClusterSet(tmp_path_factory.mktemp("cluster"))
    try:
        yield servers.start().options
    finally:
        servers.stop()


def _direct(options: Options) -> Harness:
    capabilities = RedisAdapter.create(options, Environment()).capabilities
    return direct(RedisAdapter, options, is_durable=True, capabilities=capabilities)


class TestRedis(ConformanceSuite):
    @pytest.fixture
    def harness(self, standalone: Options) -> Harness:
        return _direct(standalone)


class TestRedisGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, standalone: Options) -> Harness:
        capabilities = RedisAdapter.create(standalone, Environment()).capabilities
        return through_gateway("redis", standalone, capabilities=capabilities)


class TestRedisSentinel(ConformanceSuite):
    @pytest.fixture
    def harness(self, sentinel: Options) -> Harness:
        return _direct(sentinel)


class TestRedisCluster(ConformanceSuite):
    @pytest.fixture
    def harness(self, cluster: Options) -> Harness:
        return _direct(cluster)
