"""A Docker engine for the tests: the machine's own, or one that is started for them.

An engine that is started here keeps everything in folders of its own and makes no bridge of its
own either, so that it neither meets another engine of the machine nor leaves anything behind.
Containers need a network that is made for them, and builds use the machine's.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.provision import KEPT, absent, one_at_a_time, program
from tests.testbed.server_process import ServerProcess

START_S_MAX = 120.0
CALL_S_MAX = 120.0
_INFO_S_MAX = 20.0
_OWN_BUILDER_SINCE = 23
"""From this version on the client leaves builds to a plugin that may not be there."""
_DEATH_S_MAX = 60.0
_REST_S = 0.1


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers."""

    client: str
    """The program."""
    host: str
    """What DOCKER_HOST says; empty for the machine's own engine."""

    @property
    def is_ours(self) -> bool:
        """Whether it was started for the tests."""
        return bool(self.host)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program must be told to use this engine."""
        own = {"DOCKER_HOST": self.host} if self.is_ours else {}
        return {"DOCKER_BUILDKIT": "1", **own}

    def run(
        self, *words: str, seconds_max: float = CALL_S_MAX, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the client; fail with what it said when it fails."""
        done = subprocess.run(
            [self.client, *words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds_max,
            env={**os.environ, **self.environment},
        )
        said = f"docker {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        assert done.returncode == 0 or not check, said
        return done

    def build(self, folder: Path, *words: str, seconds_max: float) -> None:
        """Build an image from a folder, on the network of the machine."""
        network = ("--network", "host") if self.is_ours else ()
        command = ("build", "--progress", "plain", *network, *words, str(folder))
        self.run(*command, seconds_max=seconds_max)


@contextmanager
def running_engine() -> Generator[Engine]:
    """Find an engine, or start one and end it.

    One test process of a checkout has the engine at a time; others wait.
    """
    with one_at_a_time("docker"):
        theirs = _answering("")
        if theirs is not None:
            yield theirs
            return
        if os.geteuid() != 0:
            absent("a Docker engine", "start one, and let this user reach it")
        daemon = program("dockerd", "docker.io", ["usr/sbin"])
        with _started(daemon) as engine:
            yield engine


def _answering(host: str) -> Engine | None:
    """Return the engine at an address if it answers."""
    client = shutil.which("docker")
    if client is None:
        return None
    engine = Engine(client, host)
    with contextlib.suppress(subprocess.TimeoutExpired):
        format_ = ("--format", "{{.ServerVersion}}")
        if engine.run("info", *format_, seconds_max=_INFO_S_MAX, check=False).returncode == 0:
            return Engine(_building_client(), host)
    return None


@functools.cache
def _building_client() -> str:
    """Return a client that can build: with the engine's own builder, or with the plugin for it."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    clients = [Path(folder) / "docker" for folder in folders]
    able = [client for client in clients if os.access(client, os.X_OK) and _builds(client)]
    if not able:
        absent("a Docker client that builds images", "install Docker's plugin buildx")
    return str(able[0])


def _builds(client: Path) -> bool:
    plugin = subprocess.run([client, "buildx", "version"], check=False, capture_output=True)
    if plugin.returncode == 0:
        return True
    version = subprocess.run([client, "--version"], check=True, capture_output=True, text=True)
    return int(version.stdout.split()[2].partition(".")[0]) < _OWN_BUILDER_SINCE


@contextmanager
def _started(daemon: Path) -> Generator[Engine]:
    """Run an engine on folders of this checkout."""
    # A socket's path must be short, whatever the path of the checkout.
    name = hashlib.sha256(str(KEPT).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"taulu-docker-{name}"
    _end_forgotten(folder / "pid")
    host = f"unix://{folder}/docker.sock"
    words = ("--data-root", KEPT / "docker", "--exec-root", folder / "exec", "--host", host)
    words += ("--pidfile", folder / "pid", "--bridge", "none")
    process = ServerProcess(
        name="dockerd",
        command=[str(daemon), *map(str, words)],
        folder=folder,
        is_ready=lambda: _answering(host) is not None,
        start_s_max=START_S_MAX,
    )
    try:
        try:
            process.start()
        except AssertionError as error:
            absent("a Docker engine", f"one does not start on this machine: {error}")
        yield Engine(_building_client(), host)
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _end_forgotten(pid_file: Path) -> None:
    """End the engine of a run that was killed; the lock says that nobody uses it."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        if name != "dockerd":
            return
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + _DEATH_S_MAX
        while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up:
            time.sleep(_REST_S)
