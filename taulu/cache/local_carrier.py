"""Messages between the workers of one server: datagrams on sockets in a folder of its own.

A datagram to a socket on the same host arrives at once, in order, or fails at once: when the
worker is not there (it has no cache then), or when it does not keep up (its numbers tell it).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from taulu.model.errors import Unavailable

RECEIVE_BYTES = 4 * 1024 * 1024
_WAITING_MAX = 10_000
"""Messages that wait to be taken in; past that the oldest is dropped, and its number missed."""


@dataclass(slots=True)
class LocalCarrier:
    """One worker's socket, and the way to the others'."""

    folder: Path
    """Where all workers of the server have their sockets."""
    worker: int
    workers: int
    _socket: socket.socket | None = None
    _waiting: deque[bytes] = field(default_factory=lambda: deque(maxlen=_WAITING_MAX))
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> None:
        """Take the worker's place in the folder, over that of a worker that died."""
        path = self._path(self.worker)
        path.unlink(missing_ok=True)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        opened.settimeout(0.0)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            opened.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BYTES)
        opened.bind(str(path))
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened.fileno(), self._read)

    def close(self) -> None:
        """Leave the folder."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._path(self.worker).unlink(missing_ok=True)

    async def send(self, message: bytes) -> None:
        """See `Carrier.send`."""
        sender = self._opened()
        for worker in range(self.workers):
            if worker == self.worker:
                continue
            # A worker that is not there has nothing cached; one that is full misses a number.
            with contextlib.suppress(OSError):
                sender.sendto(message, str(self._path(worker)))

    async def listen(self) -> AsyncGenerator[bytes]:
        """See `Carrier.listen`."""
        self._opened()
        yield b""
        while self._socket is not None:
            while self._waiting:
                yield self._waiting.popleft()
            self._arrived.clear()
            await self._arrived.wait()

    async def enrol(self, member: str) -> None:
        """See `Carrier.enrol`; the members of a server are known beforehand."""

    async def members(self) -> frozenset[str]:
        """See `Carrier.members`."""
        return frozenset(map(member_name, range(self.workers)))

    async def strike(self, member: str) -> None:
        """See `Carrier.strike`; a worker that ended is replaced."""

    async def kept_since_us(self) -> int:
        """See `Carrier.kept_since_us`; the members cannot be lost."""
        return 0

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise Unavailable("this worker has left the others")
        return self._socket

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._socket is not None:
                self._waiting.append(self._socket.recv(RECEIVE_BYTES))
                self._arrived.set()

    def _path(self, worker: int) -> Path:
        return self.folder / f"{worker}.sock"


def member_name(worker: int) -> str:
    """Return what a worker is called among the workers of its server."""
    return str(worker)
