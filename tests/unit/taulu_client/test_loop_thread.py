from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from taulu_client import errors
from taulu_client.loop_thread import LoopThread

WAIT_S_MAX = 30.0
"""How long a wait may take to end that has no reason to go on."""


def test_closing_ends_the_waits_of_other_threads() -> None:
    loop = LoopThread()
    begun = threading.Event()
    failures: list[BaseException] = []

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            loop.run(endless())
        except errors.Unavailable as error:
            failures.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert begun.wait(WAIT_S_MAX)
    loop.close()
    waiting.join(WAIT_S_MAX)
    assert not waiting.is_alive()
    assert "the client is closed" in str(failures)


def test_what_comes_after_the_end_is_refused() -> None:
    loop = LoopThread()

    async def numbers() -> AsyncGenerator[int]:
        for number in range(3):
            yield number

    begun = loop.iterate(numbers())
    assert next(begun) == 0
    loop.close()
    loop.close()
    with pytest.raises(errors.Unavailable, match="the client is closed"):
        next(begun)
    with pytest.raises(errors.Unavailable, match="the client is closed"):
        loop.run(asyncio.sleep(0))


def test_an_iteration_that_is_given_up_ends_its_generator() -> None:
    loop = LoopThread()
    ended = threading.Event()

    async def endless() -> AsyncGenerator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    begun = loop.iterate(endless())
    assert next(begun) == 1
    del begun
    assert ended.is_set()
    loop.close()
