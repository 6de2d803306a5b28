"""News that are gathered while a message is on its way; the test says when it has arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from taulu.cache.send_queue import MESSAGE_BYTES_MAX, Places, SendQueue

WRITERS = 50


@dataclass
class Way:
    """Takes one message after the other, and holds each until the test lets it go."""

    tasks: asyncio.TaskGroup
    sent: list[dict[str, list[bytes]]] = field(default_factory=list)
    held: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    running: list[asyncio.Task[None]] = field(default_factory=list)
    queue: SendQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = SendQueue(self.run, self.send)

    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self.running.append(self.tasks.create_task(work))
        return self.running[-1]

    async def send(self, places: Places) -> None:
        self.sent.append({table: list(found) for table, found in places.items()})
        await self.held.acquire()

    async def write(self, place: bytes, table: str = "shop.orders") -> asyncio.Task[None]:
        """Begin to tell of a write."""
        writer = self.tasks.create_task(self.queue.put(table, [place]))
        await settle()
        return writer

    async def arrive(self) -> None:
        """Let the message that is on its way arrive."""
        self.held.release()
        await settle()


async def settle() -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def way() -> AsyncGenerator[Way]:
    async with asyncio.TaskGroup() as tasks:
        made = Way(tasks)
        yield made
        for _ in made.running:
            made.held.release()


async def test_what_is_written_while_a_message_is_on_its_way_goes_with_the_next() -> None:
    async with way() as made:
        first = await made.write(b"first")
        others = [await made.write(b"%d" % n, f"shop.t{n % 2}") for n in range(WRITERS)]
        assert made.sent == [{"shop.orders": [b"first"]}]
        await made.arrive()
        assert first.done()
        assert not any(writer.done() for writer in others)
        evens, odds = ([b"%d" % n for n in range(at, WRITERS, 2)] for at in (0, 1))
        assert made.sent[1:] == [{"shop.t0": evens, "shop.t1": odds}]
        await made.arrive()
        assert all(writer.done() for writer in others)
        assert len(made.sent) == 2


async def test_what_is_written_of_a_message_that_is_on_its_way_goes_again() -> None:
    async with way() as made:
        first, second = await made.write(b"same"), await made.write(b"same")
        third = await made.write(b"same")
        await made.arrive()
        assert [first.done(), second.done(), third.done()] == [True, False, False]
        await made.arrive()
        assert second.done()
        assert third.done()
        assert made.sent == [{"shop.orders": [b"same"]}] * 2


async def test_more_than_a_message_holds_goes_in_the_order_of_the_writers() -> None:
    async with way() as made:
        half = [bytes([n]) * (MESSAGE_BYTES_MAX // 2) for n in range(5)]
        writers = [await made.write(place) for place in half]
        done: list[int] = []
        for _ in range(3):
            await made.arrive()
            done.append(sum(writer.done() for writer in writers))
        # The first went alone, before the others came.
        assert [list(map(len, sent.values())) for sent in made.sent] == [[1], [2], [2]]
        assert [place for sent in made.sent for place in sent["shop.orders"]] == half
        assert done == [1, 3, 5]


async def test_who_writes_more_than_a_message_holds_waits_for_all_of_it() -> None:
    async with way() as made:
        places = [bytes([n]) * (MESSAGE_BYTES_MAX - 1) for n in range(3)]
        writer = asyncio.ensure_future(made.queue.put("shop.orders", places))
        await settle()
        for _ in places:
            assert not writer.done()
            await made.arrive()
        assert writer.done()
        assert [sent["shop.orders"] for sent in made.sent] == [[place] for place in places]


async def test_who_has_nothing_to_tell_does_not_wait() -> None:
    async with way() as made:
        await made.write(b"first")
        await made.queue.put("shop.orders", [])
        assert len(made.sent) == 1


@pytest.mark.parametrize("cut_off", range(4))
async def test_a_writer_that_is_cut_off_takes_no_news_along(cut_off: int) -> None:
    """Not if its message is on its way, not if it was the first of its batch or a later one."""
    async with way() as made:
        writers = [await made.write(b"%d" % n) for n in range(4)]
        writers[cut_off].cancel()
        await settle()
        await made.arrive()
        await made.arrive()
        assert made.sent == [{"shop.orders": [b"0"]}, {"shop.orders": [b"1", b"2", b"3"]}]
        assert all(writer.done() for writer in writers)
        assert [writer.cancelled() for writer in writers] == [n == cut_off for n in range(4)]


@pytest.mark.parametrize("is_on_its_way", [True, False])
async def test_no_writer_goes_on_whose_news_the_end_of_the_worker_kept_back(
    *, is_on_its_way: bool
) -> None:
    async with way() as made:
        if not is_on_its_way:
            await made.write(b"before")
        writer = await made.write(b"news")
        made.running[-1].cancel()
        await settle()
        assert writer.cancelled()
        late = await made.write(b"late")
        assert late.cancelled() is not is_on_its_way


async def test_flushing_waits_for_all_that_is_there_and_for_nothing_else() -> None:
    async with way() as made:
        await made.queue.flush()
        await made.write(b"first")
        await made.write(b"second")
        flushing = asyncio.ensure_future(made.queue.flush())
        await settle()
        await made.arrive()
        assert not flushing.done()
        await made.write(b"third")
        await made.arrive()
        assert flushing.done()
        assert len(made.sent) == 3
