"""Cassandra for the tests that ask for it, started once and ended with the run."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import pytest

from tests.testbed.cassandra_cluster import cassandra_cluster


@pytest.fixture(scope="session")
def cassandra_node(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mapping[str, object]]:
    """One node; its value is the options of a storage target on it."""
    with cassandra_cluster(tmp_path_factory.mktemp("cassandra")) as cluster:
        yield cluster.options()
