"""One PostgreSQL server for the tests that ask for it, started once and ended with the run."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.testbed.postgres_server import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """One server; tests keep apart by tables of their own."""
    with postgres_server() as server:
        yield server
