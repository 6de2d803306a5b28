"""A real gateway in processes of its own, on loopback, started and ended by pid."""

from __future__ import annotations

import contextlib
import os
import re
import select
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed.server_process import DEATH_S_MAX, descendants, free_port

START_S_MAX = 300.0
STOP_S_MAX = 40.0
READY = re.compile(r"taulu is serving (\d+) tables? on (\S+) \((\d+) workers?\)")


@dataclass
class GatewayProcess:
    """`taulu serve` on tables and a settings file in a folder of its own."""

    folder: Path
    tables: Sequence[Path]
    workers: int = 1
    settings: str = ""
    """More lines of the settings file."""
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> GatewayProcess:
        """Start the gateway and wait until it says that it serves."""
        self.process = self.launch()
        assert self.process.stdout is not None
        line = self._line()
        ready = READY.match(line)
        if ready is None:
            self.kill()
            raise AssertionError(f"the gateway did not start: {line}\n{self.errors()}")
        self.address = ready[2]
        return self

    def launch(self) -> subprocess.Popen[str]:
        """Start the process without waiting for anything."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # One that nobody else is given while this gateway is down.
        self.port = self.port or free_port()
        config = self.folder / "taulu.yaml"
        listed = ", ".join(f'"{path}"' for path in self.tables)
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\nworkers: {self.workers}\ntables: [{listed}]\n"
            f"{self.settings}\n"
        )
        with (self.folder / "errors.log").open("a") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "taulu.cli.main", "serve", "--config", str(config)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **self.environment},
                # A group of its own, so that a kill takes the workers with it.
                start_new_session=True,
            )

    def _line(self) -> str:
        """Return the first line of standard output, or what was there when time ran out."""
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            give_up = time.monotonic() + START_S_MAX
            while time.monotonic() < give_up:
                if selector.select(timeout=0.2):
                    return self.process.stdout.readline().strip()
        return "(nothing within the time for a start)"

    def worker_pids(self) -> list[int]:
        """Return the pids of the workers."""
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(child)
            for child in children
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
        ]

    def errors(self) -> str:
        """Return what the gateway wrote to standard error."""
        return (self.folder / "errors.log").read_text()

    def kill(self) -> None:
        """End the supervisor and all workers with SIGKILL."""
        assert self.process is not None
        ends: list[int] = []
        for pid in descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                ends.append(os.pidfd_open(pid))
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEATH_S_MAX)
        for end in ends:
            # A worker that waits for its disk has the port and the store until then.
            poller = select.poll()
            poller.register(end, select.POLLIN)
            assert poller.poll(DEATH_S_MAX * 1_000), "a worker outlived its kill"
            os.close(end)
        self._forget()

    def stop(self) -> int:
        """Ask the gateway to drain, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(STOP_S_MAX)
        self._forget()
        return code

    def close(self) -> None:
        """End the gateway if it runs."""
        if self.process is not None:
            self.stop()

    def _forget(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
