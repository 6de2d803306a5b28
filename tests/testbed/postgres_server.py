"""One PostgreSQL server on loopback, in a folder of its own, with durability as in production."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.provision import program
from tests.testbed.proxy import Proxy
from tests.testbed.server_process import ServerProcess, answers, free_port

HOST = "127.0.0.1"
USER = "taulu"
DATABASE = "taulu"
PASSWORD = "not a secret: loopback only"
CONNECTIONS_MAX = 60
_FOLDERS = ["usr/lib/postgresql/*/bin"]
_PACKAGE = "postgresql"
_UNPRIVILEGED = "postgres"
_INIT_S_MAX = 120.0
_DEATH_S_MAX = 10.0
_DEATH_POLL_S = 0.01


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

        Backends are sessions of their own, outside of the postmaster's process group. One that
        lived on would keep the shared memory, and the server from starting again.
        """
        self.pause()
        backends = _children(self.pid)
        for pid in [self.pid, *backends]:
            _signal(pid, signal.SIGKILL)
        assert self.process.process is not None
        self.process.process.wait(_DEATH_S_MAX)
        self.process.process = None
        give_up = time.monotonic() + _DEATH_S_MAX
        while any(_is_alive(pid) for pid in backends):
            assert time.monotonic() < give_up, "a killed backend lives on"
            time.sleep(_DEATH_POLL_S)

    def pause(self) -> None:
        """Stop postmaster and backends in their tracks."""
        # The postmaster first, so that it makes no backend that is overlooked.
        _signal(self.pid, signal.SIGSTOP)
        for pid in _children(self.pid):
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        for pid in [*_children(self.pid), self.pid]:
            _signal(pid, signal.SIGCONT)

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


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    """Return whether a process runs; one that waits to be reaped does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


@contextmanager
def postgres_server() -> Generator[PostgresServer]:
    """Start a new server; stop it and remove its folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="taulu-postgres-"))
    user = _own_by_unprivileged(folder)
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    data = folder / "data"
    init = [_program("initdb"), "-D", str(data), "-U", USER, "-A", "scram-sha-256"]
    init += ["--pwfile", str(password), "-E", "UTF8", "--locale", "C.UTF-8"]
    subprocess.run(
        init, check=True, capture_output=True, timeout=_INIT_S_MAX, user=user, cwd=folder
    )
    server = _server(folder, user)
    try:
        server.start()
        _create_database(server.port)
        yield server
    finally:
        _remove(server)


@contextmanager
def standby_of(server: PostgresServer) -> Generator[PostgresServer]:
    """Start a streaming standby of a server; it serves reads and follows within milliseconds."""
    folder = Path(tempfile.mkdtemp(prefix="taulu-standby-"))
    user = _own_by_unprivileged(folder)
    data = folder / "data"
    copy = [_program("pg_basebackup"), "-D", str(data), "-R", "-c", "fast", "-X", "stream"]
    copy += ["-h", HOST, "-p", str(server.port), "-U", USER]
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    subprocess.run(copy, check=True, capture_output=True, user=user, cwd=folder, env=environment)
    standby = _server(folder, user)
    try:
        standby.start()
        yield standby
    finally:
        _remove(standby)


def _server(folder: Path, user: str | None) -> PostgresServer:
    """Return a server on the data of a folder, not started."""
    port = free_port()
    command = [_program("postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
    for setting in (
        f"listen_addresses={HOST}",
        f"max_connections={CONNECTIONS_MAX}",
        "shared_buffers=64MB",
    ):
        command += ["-c", setting]
    process = ServerProcess(
        "postgres",
        command,
        folder,
        lambda: _is_ready(port),
        user=user,
        # What PostgreSQL calls a fast shutdown; SIGTERM would wait for its clients.
        stop_signal=signal.SIGINT,
    )
    return PostgresServer(folder, process, port)


def _remove(server: PostgresServer) -> None:
    if server.process.is_running:
        server.resume()
        server.process.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


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


@contextmanager
def behind_proxy(server: PostgresServer) -> Generator[Proxy]:
    """Put a proxy before the server that can be slow, cut and mended."""
    with Proxy((HOST, server.port)) as proxy:
        yield proxy
