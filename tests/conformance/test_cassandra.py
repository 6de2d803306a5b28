"""The suite on a real node: tables written by Paxos, and rows written plainly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu.model import Kind, Level
from taulu.spi import Capabilities, Feature
from taulu_cassandra import CassandraAdapter
from tests.conformance.adapters import direct, through_gateway

pytestmark = pytest.mark.xdist_group("cassandra")

Options = Mapping[str, object]

PLAIN = replace(
    CassandraAdapter.capabilities,
    kinds=frozenset({Kind.KV, Kind.WIDE}),
    features=CassandraAdapter.capabilities.features
    - {Feature.CONDITIONS, Feature.WRITE_ORDER, Feature.ROW_TTL},
    read_levels=frozenset(Level) - {Level.LINEARIZABLE},
    write_levels=frozenset({Level.EVENTUAL, Level.QUORUM}),
)
"""What rows can do that are written at QUORUM and do not expire."""
EXPIRING = replace(PLAIN, features=PLAIN.features - {Feature.PARTIAL_UPDATE} | {Feature.ROW_TTL})
"""What rows can do that are written at QUORUM, always whole, and may expire."""
WHOLE_ROWS: Options = {"partial_updates": False}


def _apart(node: Options, prefix: str) -> Options:
    """Return options with keyspaces of their own: one table is kept in one way only.

    There is one node, and no other to turn to when it is busy.
    """
    return {**node, "heartbeat_s": 30.0, "keyspace_prefix": prefix}


def _direct(node: Options, prefix: str, has: Capabilities, table_options: Options) -> Harness:
    options = _apart(node, prefix)
    return direct(
        CassandraAdapter, options, is_durable=True, capabilities=has, table_options=table_options
    )


class TestCassandra(ConformanceSuite):
    @pytest.fixture
    def harness(self, cassandra_node: Options) -> Harness:
        return _direct(cassandra_node, "", CassandraAdapter.capabilities, {})


class TestCassandraGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, cassandra_node: Options) -> Harness:
        return through_gateway(
            "cassandra", _apart(cassandra_node, ""), capabilities=CassandraAdapter.capabilities
        )


class TestCassandraPlain(ConformanceSuite):
    @pytest.fixture
    def harness(self, cassandra_node: Options) -> Harness:
        return _direct(cassandra_node, "plain_", PLAIN, {})


class TestCassandraPlainGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, cassandra_node: Options) -> Harness:
        return through_gateway("cassandra", _apart(cassandra_node, "plain_"), capabilities=PLAIN)


class TestCassandraExpiring(ConformanceSuite):
    @pytest.fixture
    def harness(self, cassandra_node: Options) -> Harness:
        return _direct(cassandra_node, "whole_", EXPIRING, WHOLE_ROWS)
