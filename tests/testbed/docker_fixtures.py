"""A Docker engine for the tests that ask for it, found or started once per run."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.testbed.docker_engine import Engine, running_engine


@pytest.fixture(scope="session")
def docker_engine() -> Generator[Engine]:
    """An engine that testcontainers finds, too."""
    # It looks around on import, and costs other tests nothing this way.
    from testcontainers.core.config import ConnectionMode, testcontainers_config  # noqa: PLC0415

    with running_engine() as engine, pytest.MonkeyPatch.context() as patch:
        for name, value in engine.environment.items():
            patch.setenv(name, value)
        # Ports are published on loopback, whatever it takes this machine for.
        patch.setattr(testcontainers_config, "tc_host_override", "127.0.0.1")
        patch.setattr(testcontainers_config, "connection_mode_override", ConnectionMode.docker_host)
        # Of 1 s each. Cassandra takes its time on a busy machine.
        patch.setattr(testcontainers_config, "max_tries", 600)
        if engine.is_ours:
            # The image of its reaper may not be had; containers end with the engine.
            patch.setattr(testcontainers_config, "ryuk_disabled", True)
        yield engine
