"""One server process on loopback: started, probed, hurt, mended and ended by its pid."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_S_MAX = 30.0
DEATH_S_MAX = 120.0
"""How long a process may take to be gone that was killed; it may wait for its disk."""
_PROBE_REST_S = 0.1
_LOG_TAIL_LINES = 40
_GIVEN_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_PORT_MIN = 15_000
_TRIES_MAX = 100


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is nobody's, outside of those that the kernel gives out.

    It is this process's until it ends: no other that asks here is given it, not even while the
    server that it is for is not up yet, or dead.

    A client that keeps calling a dead server would else be given the server's own port as its
    end now and then: it connects to itself, and the server cannot come back.
    """
    lowest_given_out = int(_GIVEN_OUT.read_text().split()[0])
    for _ in range(_TRIES_MAX):
        port = _PORT_MIN + secrets.randbelow(lowest_given_out - _PORT_MIN)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            claim_port(port)
            return port
    raise AssertionError(f"no port of {host} is free")


def claim_port(port: int) -> None:
    """Keep a port from every other process of the tests, until this one ends.

    Raises:
        OSError: It is claimed already.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        # An abstract address: no file, and gone with the process.
        claim.bind(f"\0taulu-testbed-port-{port}")
        claim.detach()


def answers(host: str, port: int) -> bool:
    """Return whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


@dataclass
class ServerProcess:
    """A server of its own process group, with its files and its log in one folder."""

    name: str
    command: Sequence[str]
    folder: Path
    is_ready: Callable[[], bool]
    start_s_max: float = 60.0
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    """Run as this user, for servers that refuse to be root's."""
    stop_signal: signal.Signals = signal.SIGTERM
    """What asks the server to end soon, without waiting for its clients."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Everything that the server wrote to standard output and error."""
        return self.folder / f"{self.name}.log"

    def launch(self) -> None:
        """Start the process, and wait for nothing."""
        assert self.process is None, f"{self.name} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
                user=self.user,
            )

    def wait_ready(self) -> None:
        """Wait until the server is ready; fail with the end of its log when it is not in time."""
        give_up = time.monotonic() + self.start_s_max
        while time.monotonic() < give_up:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended by itself:\n{self.log_tail()}")
            with contextlib.suppress(Exception):
                if self.is_ready():
                    return
            time.sleep(_PROBE_REST_S)
        raise AssertionError(f"{self.name} is not ready in time:\n{self.log_tail()}")

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.launch()
        self.wait_ready()

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End the server with SIGKILL, paused or not."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask the server to end, and end it when it does not."""
        if self.process is None:
            return
        self.resume()
        try:
            self._end(self.stop_signal)
        except subprocess.TimeoutExpired:
            self.kill()

    def pause(self) -> None:
        """Stop the server in its tracks; its connections stay open and silent."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        if not self.is_running:
            return
        assert self.process is not None
        if number is self.stop_signal:
            # The server tells its own children.
            self.process.send_signal(number)
            return
        # The parent first, so that it cannot make up for a child that is gone. Some servers
        # give each child a session of its own, so that no group holds them all.
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self._signal(number)
        self.process.wait(DEATH_S_MAX if number is signal.SIGKILL else STOP_S_MAX)
        self.process = None


def descendants(pid: int) -> list[int]:
    """Return the children of a process and theirs, whatever group or session they are in."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            # The name, in brackets, may hold anything; what follows it does not.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
