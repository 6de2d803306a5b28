"""A TCP proxy on loopback that can be slow, silent, cut or mended while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

_READ_BYTES = 64 * 1024
_CALL_S_MAX = 10.0
_HELD_READS_MAX = 256
_LINGER_NONE = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes between whoever connects and one target, from a thread of its own."""

    def __init__(self, target: tuple[str, int], listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.target = target
        self.host, self.port = listen
        self._delay_s = 0.0
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """`host:port` to connect to."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection and the port."""
        try:
            self._call(self._close())
        finally:
            self._end()

    def slow(self, seconds: float) -> None:
        """Hold back what is sent from now on, each way, for this long."""
        self._delay_s = seconds

    def silence(self) -> None:
        """Pass nothing on from now, either way, while every connection stays open.

        It is what a network does that loses every packet: new connections are taken, and
        answered by nobody. What was sent meanwhile arrives after mending.
        """
        self._call(self._set_passing(is_on=False))

    def cut(self) -> None:
        """Reset every connection, and each new one at once."""
        self._is_cut = True
        self._call(self._drop())

    def mend(self) -> None:
        """Be as at first."""
        self._delay_s = 0.0
        self._is_cut = False
        self._call(self._set_passing(is_on=True))

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S_MAX)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S_MAX)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set_passing(self, *, is_on: bool) -> None:
        if is_on:
            self._passes.set()
        else:
            self._passes.clear()

    async def _drop(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ours = [writer]
        self._writers.add(writer)
        try:
            if self._is_cut:
                return
            await self._passes.wait()
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            ours.append(far_writer)
            if self._is_cut:
                # Cut while it was being made, when `_drop` could not see it.
                return
            self._writers.add(far_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, far_writer))
                group.create_task(self._pass(far_reader, writer))
        except* (OSError, asyncio.CancelledError):
            # A task that ends as cancelled is an error to asyncio's own callback.
            pass
        finally:
            self._tasks.discard(task)
            for end in ours:
                self._writers.discard(end)
                _reset(end)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass bytes in order, each read held back by the delay of its moment."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=_HELD_READS_MAX)

        async def receive() -> None:
            while data := await source.read(_READ_BYTES):
                await held.put((self._loop.time() + self._delay_s, data))
            await held.put((0.0, b""))

        async def send() -> None:
            while True:
                due, data = await held.get()
                if not data:
                    break
                if (wait_s := due - self._loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                await self._passes.wait()
                sink.write(data)
                await sink.drain()
            with contextlib.suppress(OSError):
                sink.write_eof()

        async with asyncio.TaskGroup() as group:
            group.create_task(receive())
            group.create_task(send())


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once; the other end gets a reset, also when all was read."""
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    writer.transport.abort()
