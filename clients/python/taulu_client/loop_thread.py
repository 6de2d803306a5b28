"""An event loop in a thread of its own, and the way to it from other threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

from taulu_client.errors import Unavailable

ResultT = TypeVar("ResultT")


class LoopThread:
    """An event loop in a thread, and the way to it from others."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="taulu-client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Wait for a coroutine and return its result."""
        if self._loop.is_closed():
            work.close()
            raise Unavailable("the client is closed; make another")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupt ends the wait; the call must not go on behind it.
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[ResultT]) -> Iterator[ResultT]:
        """Yield what an asynchronous generator yields; it is closed when this one is."""
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.is_closed():
                self.run(_close(items))

    def close(self) -> None:
        """End the thread; safe to call twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(items: AsyncGenerator[ResultT]) -> ResultT:
    return await anext(items)


async def _close(items: AsyncGenerator[Any]) -> None:
    await items.aclose()
