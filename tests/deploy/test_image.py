"""The gateway's image: small rights, healthy, useful, drained in time, and durable."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from taulu.cli.exits import Exit
from taulu_client.sync import SyncClient
from tests.testbed.docker_engine import Engine
from tests.testbed.gateway_image import provide_gateway
from tests.testbed.images import PYTHON
from tests.testbed.server_process import free_port

# The first test may have to wait for the engine, and for what the image is built from.
pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(1_800)]

TABLES = Path(__file__).parents[2] / "docs" / "examples" / "tables"
HEALTHY_S_MAX = 240.0
STOP_S_MAX = 60
_REST_S = 0.2
_USER = "10001:10001"


@pytest.fixture(scope="module")
def image(docker_engine: Engine) -> str:
    return provide_gateway(docker_engine)


@dataclass(frozen=True, slots=True)
class Container:
    """One running gateway, on a volume and a network of its own."""

    engine: Engine
    name: str
    address: str

    def inspect(self, what: str) -> str:
        return self.engine.run("inspect", "--format", what, self.name).stdout.strip()

    def taulu(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.engine.run("exec", self.name, "taulu", *words, check=check)

    def wait(self, what: str, is_so: Callable[[], bool]) -> None:
        give_up = time.monotonic() + HEALTHY_S_MAX
        while not is_so():
            logs = self.engine.run("logs", self.name, check=False)
            assert time.monotonic() < give_up, f"not {what} in time: {logs.stdout}{logs.stderr}"
            time.sleep(_REST_S)

    def wait_healthy(self) -> None:
        self.wait("healthy", lambda: self.inspect("{{.State.Health.Status}}") == "healthy")


@pytest.fixture(scope="module")
def gateway(docker_engine: Engine, image: str) -> Generator[Container]:
    port = free_port()
    name = f"taulu-test-{port}"
    docker_engine.run("network", "create", name)
    docker_engine.run("volume", "create", name)
    docker_engine.run(
        *("run", "--detach", "--name", name, "--network", name),
        *("--publish", f"127.0.0.1:{port}:7600"),
        *("--volume", f"{name}:/var/lib/taulu"),
        *("--volume", f"{TABLES}:/etc/taulu/tables:ro"),
        # With less than an operator would leave it.
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", image),
    )
    try:
        yield Container(docker_engine, name, f"127.0.0.1:{port}")
    finally:
        docker_engine.run("rm", "--force", "--volumes", name)
        docker_engine.run("volume", "rm", name)
        docker_engine.run("network", "rm", name)


def test_it_serves_drains_and_keeps_what_it_acknowledged(gateway: Container) -> None:
    gateway.wait_healthy()
    gateway.taulu("put", "demo.users", '{"user_id": "ada", "name": "Ada"}')
    # By the published port, as a product service would.
    with SyncClient(gateway.address, timeout_s=30.0) as client:
        users = client.table("demo.users")
        assert users.get("ada").row == {"user_id": "ada", "name": "Ada"}
        users.put({"user_id": "eve", "name": "Eve"})
    gateway.engine.run("stop", "-t", str(STOP_S_MAX), gateway.name)
    assert gateway.inspect("{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false"
    gateway.engine.run("start", gateway.name)
    gateway.wait_healthy()
    gateway.taulu("put", "demo.users", '{"user_id": "bob", "name": "Bob"}')
    gateway.engine.run("kill", gateway.name)
    assert gateway.inspect("{{.State.ExitCode}}") == "137"
    gateway.engine.run("start", gateway.name)
    gateway.wait_healthy()
    rows = gateway.taulu("scan", "demo.users", "--json").stdout.splitlines()
    found = sorted(json.loads(row)["row"]["name"] for row in rows)
    assert found == ["Ada", "Bob", "Eve"]


def test_it_runs_as_nobody_in_particular(gateway: Container) -> None:
    gateway.wait_healthy()
    assert gateway.inspect("{{.Config.User}}") == _USER
    ran_by = "import os; print(f'{os.getuid()}:{os.getgid()}')"
    done = gateway.engine.run("exec", gateway.name, "python3", "-c", ran_by)
    assert done.stdout.strip() == _USER
    held = "print(open('/proc/1/status').read())"
    status = gateway.engine.run("exec", gateway.name, "python3", "-c", held).stdout
    values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(values["Uid"].split()) == {_USER.partition(":")[0]}
    assert int(values["CapEff"], 16) == 0


def test_its_health_check_fails_while_nothing_serves(gateway: Container) -> None:
    gateway.wait_healthy()
    assert gateway.taulu("health").stdout == "SERVING\n"
    elsewhere = gateway.taulu("health", "--address", "127.0.0.1:1", "--timeout", "5", check=False)
    assert elsewhere.returncode == Exit.TRY_AGAIN


def test_nothing_of_the_build_is_left_in_it(docker_engine: Engine, image: str) -> None:
    command = ("run", "--rm", "--network", "none", "--entrypoint", "python3", image, "-c")
    paths = ("/src", "/etc/pip.conf", "/run/secrets")
    look = f"import pathlib; print([p for p in {paths} if pathlib.Path(p).exists()])"
    assert docker_engine.run(*command, look).stdout.strip() == "[]"
    modules = ("pip", "hypothesis", "pytest")
    absent = f"import importlib.util as u; print([m for m in {modules} if u.find_spec(m)])"
    assert docker_engine.run(*command, absent).stdout.strip() == "[]"
    assert _own_bytes(docker_engine, image) < OWN_BYTES_MAX


OWN_BYTES_MAX = 160 * 1024 * 1024
"""What the image may add to Python's, all drivers included."""


def _own_bytes(engine: Engine, image: str) -> int:
    sizes = [
        int(engine.run("image", "inspect", "--format", "{{.Size}}", name).stdout)
        for name in (image, PYTHON)
    ]
    return sizes[0] - sizes[1]
