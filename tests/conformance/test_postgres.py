"""The suite on a real PostgreSQL, directly and through client, wire, server and pipeline."""

from __future__ import annotations

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu_postgres import PostgresAdapter
from tests.conformance.adapters import direct, through_gateway
from tests.testbed.postgres_server import PostgresServer, postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.xdist_group("postgres")


class TestPostgres(ConformanceSuite):
    @pytest.fixture
    def harness(self, postgres: PostgresServer) -> Harness:
        return direct(PostgresAdapter, postgres.options(), is_durable=True)


class TestPostgresGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, postgres: PostgresServer) -> Harness:
        options = postgres.options()
        return through_gateway("postgres", options, capabilities=PostgresAdapter.capabilities)
