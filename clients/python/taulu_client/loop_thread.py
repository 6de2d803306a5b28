"""An event loop in a thread of its own, and the way to it from other threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from taulu_client.errors import Unavailable

ResultT = TypeVar("ResultT")


class LoopThread:
    """An event loop in a thread, and the way to it from others."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._handing_over = threading.Lock()
        self._is_closing = False
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="taulu-client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Wait for a coroutine and return its result.

        Raises:
            Unavailable: The thread has ended, or ends now.
        """
        future = self._handed_over(work)
        try:
            return future.result()
        except CancelledError as error:
            raise _closed() from error
        except BaseException:
            # An interrupt ends the wait; the call must not go on behind it.
            future.cancel()
            raise

    def _handed_over(self, work: Coroutine[Any, Any, ResultT]) -> Future[ResultT]:
        # What is handed over before the loop is told to end is cancelled by it; what would come
        # after would be waited for for ever.
        with self._handing_over:
            if self._is_closing:
                work.close()
                raise _closed()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def iterate(self, items: AsyncGenerator[ResultT]) -> Iterator[ResultT]:
        """Yield what an asynchronous generator yields; it is closed when this one is."""
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            if not self._is_closing:
                self.run(_close(items))

    def close(self) -> None:
        """End the thread, and every wait for what it has not finished; safe to call twice."""
        with self._handing_over:
            if self._is_closing:
                return
            self._is_closing = True
            ended = asyncio.run_coroutine_threadsafe(_end_others(), self._loop)
        ended.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _closed() -> Unavailable:
    return Unavailable("the client is closed; make another")


async def _end_others() -> None:
    """Cancel all that runs on this loop, and wait until it has ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _next(items: AsyncGenerator[ResultT]) -> ResultT:
    return await anext(items)


async def _close(items: AsyncGenerator[Any]) -> None:
    await items.aclose()
