"""Reads: a few threads, each read on a connection of its own, in one snapshot."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from taulu.model import Overloaded
from taulu_embedded import statements
from taulu_embedded._driver import Connection, DriverError
from taulu_embedded.mapping import internal, to_taulu
from taulu_embedded.opening import open_reader
from taulu_embedded.presence import Presence

ResultT = TypeVar("ResultT")

_OVERLOAD_RETRY_S = 0.05


class Readers:
    """The reading threads of one file. `path` must have been made."""

    def __init__(self, path: Path, count: int, queue_max: int) -> None:
        self._path = path
        self._queue_max = queue_max
        self._waiting = 0
        self._presence = Presence.of(path)
        self._connections = [open_reader(path) for _ in range(count)]
        # The last one used comes first: its page cache is the warmest.
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        for connection in self._connections:
            self._idle.put(connection)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="taulu-embedded-reader")

    async def read(self, read: Callable[[Connection], ResultT]) -> ResultT:
        """Run a read in one snapshot, which sees every write acknowledged before.

        Raises:
            Overloaded: Too many reads wait already.
            TauluError: What the read raises, or what became of the file.
        """
        if self._waiting >= self._queue_max:
            raise Overloaded(
                f"{self._queue_max} reads wait for {self._path} already (read_queue_max); "
                "send the request again later",
                details={"limit": "read_queue_max", "value": str(self._queue_max)},
                retry_after_s=_OVERLOAD_RETRY_S,
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._in_snapshot, read)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Finish the reads under way and close every connection. It blocks."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _in_snapshot(self, read: Callable[[Connection], ResultT]) -> ResultT:
        connection = self._idle.get()
        try:
            self._presence.check()
            connection.execute(statements.BEGIN_READ)
            try:
                return read(connection)
            finally:
                # Some errors end the transaction by themselves, and are the ones to be told.
                if connection.in_transaction():
                    connection.execute(statements.COMMIT)
        except DriverError as error:
            raise to_taulu(error, self._path) from error
        except Exception as error:
            raise internal(error) from error
        finally:
            self._idle.put(connection)
