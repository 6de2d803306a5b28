"""Kafka for the tests that ask for it, each cluster started once and ended with the run."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.testbed.kafka_cluster import KafkaCluster, kafka_cluster


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Generator[KafkaCluster]:
    """One broker."""
    with kafka_cluster(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_three(tmp_path_factory: pytest.TempPathFactory) -> Generator[KafkaCluster]:
    """Three brokers, each a controller too."""
    with kafka_cluster(tmp_path_factory.mktemp("kafka-three"), 3) as running:
        yield running
