"""Redis servers for the tests that ask for them, each started once and ended with the run."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.testbed.redis_servers import ClusterSet, SentinelSet, Standalone


@pytest.fixture(scope="session")
def redis_alone(tmp_path_factory: pytest.TempPathFactory) -> Generator[Standalone]:
    """One server."""
    servers = Standalone(tmp_path_factory.mktemp("redis"))
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def redis_sentinel(tmp_path_factory: pytest.TempPathFactory) -> Generator[SentinelSet]:
    """One primary, two replicas, three sentinels."""
    servers = SentinelSet(tmp_path_factory.mktemp("redis-sentinel"))
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[ClusterSet]:
    """Three primaries with a replica each."""
    servers = ClusterSet(tmp_path_factory.mktemp("redis-cluster"))
    try:
        yield servers.start()
    finally:
        servers.stop()
