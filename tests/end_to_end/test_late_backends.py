"""Gateways that are started before their backend is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from taulu.cli.exits import Exit
from taulu_client.sync import SyncClient
from tests.end_to_end.waiting import PATIENCE_S, until
from tests.testbed.gateway_process import READY, GatewayProcess
from tests.testbed.redis_servers import SAFE, RedisServer
from tests.testbed.server_process import free_port

TABLE = """\
apiVersion: taulu/v1
kind: Table
metadata: {namespace: demo, name: users}
spec:
  kind: kv
  key: {partition: [user_id]}
  columns: {user_id: string}
  storage: {adapter: cache}
  consistency: {read: EVENTUAL, write: EVENTUAL}
"""


@pytest.fixture
def redis(tmp_path: Path) -> Generator[RedisServer]:
    """A server that is not started yet."""
    server = RedisServer(tmp_path / "redis", free_port(), SAFE)
    yield server
    server.stop()


Launched = tuple[GatewayProcess, subprocess.Popen[str]]


@pytest.fixture
def launch(tmp_path: Path, redis: RedisServer) -> Generator[Callable[[str], Launched]]:
    """Starts a gateway that waits so long for its backend, and waits for nothing itself."""
    table = tmp_path / "table.yaml"
    table.write_text(TABLE)
    storage = {"cache": {"adapter": "redis", "nodes": [redis.address]}}
    started: list[subprocess.Popen[str]] = []

    def start(wait: str) -> Launched:
        # A worker that does not end by itself is not killed within a test.
        settings = f"start_wait: {wait}\ndrain: 10m\nstorage: {json.dumps(storage)}"
        gateway = GatewayProcess(tmp_path / "gateway", [table], workers=2, settings=settings)
        started.append(gateway.launch())
        return gateway, started[0]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_gateway_waits_for_a_backend_that_comes_later(
    launch: Callable[[str], Launched], redis: RedisServer
) -> None:
    gateway, process = launch("10m")
    until(lambda: "waiting up to 600 s for storage cache" in gateway.errors())
    assert "Redis cannot be reached" in gateway.errors()
    redis.start()
    assert process.stdout is not None
    ready = READY.match(process.stdout.readline())
    assert ready is not None
    with SyncClient(ready[2], timeout_s=PATIENCE_S) as client:
        client.table("demo.users").put({"user_id": "ada"})
        assert client.table("demo.users").get("ada") is not None
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def test_a_backend_that_does_not_come_ends_the_start_with_its_reason(
    launch: Callable[[str], Launched],
) -> None:
    gateway, process = launch("1ms")
    out, _ = process.communicate(timeout=PATIENCE_S)
    (told, line) = gateway.errors().splitlines()
    assert (process.returncode, out) == (Exit.TRY_AGAIN, "")
    assert "waiting up to" in told
    assert line.startswith("taulu: Redis cannot be reached")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_waits_is_given_up_when_asked(
    launch: Callable[[str], Launched], number: signal.Signals
) -> None:
    gateway, process = launch("10m")
    until(lambda: "waiting up to" in gateway.errors())
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (0, "")
    assert "killing it" not in gateway.errors()
    assert "Traceback" not in gateway.errors()
