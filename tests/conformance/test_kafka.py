from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu_kafka import KafkaAdapter
from tests.conformance.adapters import direct, through_gateway
from tests.testbed.kafka_cluster import KafkaCluster, kafka_cluster

pytestmark = pytest.mark.xdist_group("kafka")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with kafka_cluster(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="class")
def options(cluster: KafkaCluster) -> dict[str, object]:
    # Topics of its own for each run of the suite, so that times and offsets begin anew.
    return {"servers": cluster.bootstrap, "topic_prefix": f"{uuid.uuid4().hex[:8]}."}


class TestKafka(ConformanceSuite):
    @pytest.fixture
    def harness(self, options: dict[str, object]) -> Harness:
        return direct(KafkaAdapter, options, is_durable=True)


class TestKafkaGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, options: dict[str, object]) -> Harness:
        return through_gateway("kafka", options, capabilities=KafkaAdapter.capabilities)
