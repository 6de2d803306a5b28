"""One PostgreSQL server on loopback, in a folder of its own, with durability as in production."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.testbed.provision import program
from tests.testbed.proxy import Proxy
from tests.testbed.server_process import ServerProcess, answers, free_port

HOST = "127.0.0.1"
USER = "taulu"
DATABASE = "taulu"
PASSWORD = "not a secret: loopback only"
_FOLDERS = ["usr/lib/postgresql/*/bin"]
_PACKAGE = "postgresql"
_UNPRIVILEGED = "postgres"
_INIT_S_MAX = 120.0


@dataclass
class PostgresServer:
    """The server, its superuser `taulu`, and one empty database of the same name.

    The server's own user is `postgres` where the tests are root's, since it refuses to be root's.
    """

    folder: Path
    process: ServerProcess
    port: int

    @property
    def pid(self) -> int:
        """The postmaster."""
        assert self.process.process is not None
        return self.process.process.pid

    def options(self, port: int | None = None) -> dict[str, object]:
        """Return the options of a storage target that reaches the server, or a proxy of it."""
        return {
            "host": HOST,
            "port": port or self.port,
            "database": DATABASE,
            "user": USER,
            "password": PASSWORD,
        }

    def kill(self) -> None:
        """End postmaster and backends with SIGKILL, as a machine that loses its power does.

        Backends are sessions of their own, outside of the postmaster's process group.
        """
        family = [self.pid, *_children(self.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process.process is not None
        self.process.process.wait(10)
        self.process.process = None

    def pause(self) -> None:
        """Stop postmaster and backends in their tracks."""
        for pid in [self.pid, *_children(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        for pid in [*_children(self.pid), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def start(self) -> None:
        """Start, or start again after a kill; recovery included."""
        self.process.start()

    def psql(self, sql: str) -> str:
        """Return what psql prints, unaligned and without headers, as a person would read it."""
        command = [_program("psql"), "-X", "-A", "-t", "-h", HOST, "-p", str(self.port)]
        done = subprocess.run(
            [*command, "-U", USER, "-d", DATABASE, "-c", sql],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PGPASSWORD": PASSWORD},
        )
        return done.stdout.strip()


def _program(name: str) -> str:
    return str(program(name, _PACKAGE, _FOLDERS))


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


@contextmanager
def postgres_server() -> Generator[PostgresServer]:
    """Start a new server; stop it and remove its folder at the end."""
    initdb, postgres = _program("initdb"), _program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="taulu-postgres-"))
    user = _own_by_unprivileged(folder)
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    data = folder / "data"
    init = [initdb, "-D", str(data), "-U", USER, "-A", "scram-sha-256"]
    init += ["--pwfile", str(password), "-E", "UTF8", "--locale", "C.UTF-8"]
    subprocess.run(
        init, check=True, capture_output=True, timeout=_INIT_S_MAX, user=user, cwd=folder
    )
    port = free_port()
    command = [postgres, "-D", str(data), "-p", str(port), "-k", str(folder)]
    for setting in (f"listen_addresses={HOST}", "max_connections=60", "shared_buffers=64MB"):
        command += ["-c", setting]
    process = ServerProcess("postgres", command, folder, lambda: _is_ready(port), user=user)
    server = PostgresServer(folder, process, port)
    try:
        server.start()
        _create_database(port)
        yield server
    finally:
        if process.is_running:
            server.resume()
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _own_by_unprivileged(folder: Path) -> str | None:
    """Give the folder to the user that the server runs as; None is whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    pwd.getpwnam(_UNPRIVILEGED)
    shutil.chown(folder, _UNPRIVILEGED)
    folder.chmod(0o755)
    return _UNPRIVILEGED


def _is_ready(port: int) -> bool:
    if not answers(HOST, port):
        return False
    ready = [_program("pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    return subprocess.run(ready, check=False, timeout=5).returncode == 0


def _create_database(port: int) -> None:
    create = [_program("createdb"), "-h", HOST, "-p", str(port), "-U", USER, DATABASE]
    subprocess.run(
        create, check=True, capture_output=True, env={**os.environ, "PGPASSWORD": PASSWORD}
    )


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """One server for all the tests of a process."""
    with postgres_server() as server:
        yield server


@contextmanager
def behind_proxy(server: PostgresServer) -> Generator[Proxy]:
    """Put a proxy before the server that can be slow, cut and mended."""
    with Proxy((HOST, server.port)) as proxy:
        yield proxy
