from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taulu.cache import LocalCarrier
from taulu.model import Unavailable


def worker(folder: Path, number: int) -> LocalCarrier:
    carrier = LocalCarrier(folder, number, 3)
    carrier.open()
    return carrier


async def next_of(messages: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(messages), 5)


async def test_messages_reach_every_worker_that_is_there_in_order(tmp_path: Path) -> None:
    first, second = worker(tmp_path, 0), worker(tmp_path, 1)
    messages = second.listen()
    assert await next_of(messages) == b""
    for n in range(300):
        await first.send(b"%d" % n)
        await asyncio.sleep(0)
    assert [await next_of(messages) for _ in range(300)] == [b"%d" % n for n in range(300)]
    first.close()
    second.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing here waits for a disk


async def test_a_worker_takes_the_place_of_one_that_died(tmp_path: Path) -> None:
    first, dead, again = worker(tmp_path, 0), worker(tmp_path, 1), worker(tmp_path, 1)
    messages = again.listen()
    assert await next_of(messages) == b""
    await first.send(b"hello")
    assert await next_of(messages) == b"hello"
    for carrier in (dead, first, again):
        carrier.close()


async def test_a_long_message_goes_through_whole(tmp_path: Path) -> None:
    first, second = worker(tmp_path, 0), worker(tmp_path, 1)
    messages = second.listen()
    assert await next_of(messages) == b""
    await first.send(b"x" * 100_000)
    assert await next_of(messages) == b"x" * 100_000
    first.close()
    second.close()


async def test_all_workers_of_the_server_are_members_and_none_is_struck_off(tmp_path: Path) -> None:
    first = worker(tmp_path, 0)
    await first.strike("1")
    assert await first.members() == {"0", "1", "2"}
    first.close()


async def test_a_worker_that_left_sends_nothing(tmp_path: Path) -> None:
    first = worker(tmp_path, 0)
    first.close()
    first.close()
    with pytest.raises(Unavailable):
        await first.send(b"hello")
