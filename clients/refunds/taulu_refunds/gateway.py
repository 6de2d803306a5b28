"""A gateway of one's own: `taulu serve` on a fresh store, started and ended by pid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from taulu_refunds.failure import JobError
from taulu_refunds.placement import ALL_EMBEDDED, Placement, place_tables

_READY = re.compile(rb"taulu is serving \d+ tables? on (\S+) ")
_START_S_MAX = 300.0
_STOP_S_MAX = 40.0


@dataclass(slots=True)
class OwnGateway:
    """The gateway of one run.

    Args:
        folder: Where its settings, its store and its log are kept.
        workers: How many worker processes it has.
        placement: Where its tables live.
    """

    folder: Path
    workers: int
    placement: Placement = ALL_EMBEDDED
    address: str = ""
    _port: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            JobError: It did not start; its log says why.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        place_tables(self.placement, self.folder / "tables")
        settings = self.folder / "taulu.yaml"
        described = {
            "listen": f"127.0.0.1:{self._port}",
            "workers": self.workers,
            "tables": ["tables"],
            "storage": {name: dict(target) for name, target in self.placement.storage.items()},
        }
        settings.write_text(yaml.safe_dump(described, sort_keys=False))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "taulu.cli.main", "serve", "--config", str(settings)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # A group of its own, so that its end takes the workers with it.
                start_new_session=True,
            )
        self.address = await self._ready_address(self._process)
        self._port = int(self.address.rpartition(":")[2])

    async def _ready_address(self, process: asyncio.subprocess.Process) -> str:
        line = b""
        if process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_START_S_MAX):
                    line = await process.stdout.readline()
        ready = _READY.match(line)
        if ready is None:
            await self._end(signal.SIGKILL)
            said = self._log.read_text(errors="replace")[-1_000:]
            raise JobError(f"the gateway did not start; its log {self._log} ends with:\n{said}")
        return ready[1].decode()

    async def kill(self) -> None:
        """End it as `kill -9` does, workers included."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Let it finish what it does, and end it. Safe to call twice."""
        await self._end(signal.SIGTERM)

    @property
    def _log(self) -> Path:
        return self.folder / "gateway.log"

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if how is signal.SIGKILL:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.send_signal(how)
        try:
            async with asyncio.timeout(_STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
