"""The tails of all partitions that this worker appends to or follows."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from taulu.model import Clock, Unavailable, WriteOutcomeUnknown
from taulu_kafka._driver import Consumer, Place
from taulu_kafka.readers import Budget, Readers, Work
from taulu_kafka.tail import Tail
from taulu_kafka.tails import Tails

_log = logging.getLogger(__name__)

_LOOK_UP_S = 15.0
_PROGRESS_S = 5.0
_FULL_REST_S = 60.0
_WATCH_S = 30.0
"""How long a partition is watched on after the last follower has gone."""
_SKEW_US = 15 * 60 * 1_000_000
"""How much longer than its window a token is remembered: clients' clocks may be ahead."""


@dataclass(slots=True)
class _Opening:
    """A tail on its way to having seen the token window."""

    task: asyncio.Task[Tail]
    progress: str = "its beginning is looked for"


@dataclass(slots=True)
class _Watch:
    """A partition that is followed and not written."""

    tail: Tail
    followers: int = 0
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Partitions:
    """Opens tails when they are needed, and answers when they are ready."""

    tails: Tails
    readers: Readers
    clock: Clock
    window_us: int
    tokens_max: int
    _ready: dict[Place, Tail] = field(default_factory=dict[Place, Tail])
    _opening: dict[Place, _Opening] = field(default_factory=dict[Place, _Opening])
    _watched: dict[Place, _Watch] = field(default_factory=dict[Place, _Watch])

    @property
    def remembered_since_us(self) -> int:
        """The time from which on tokens are remembered."""
        return self.clock.now_us() - self.window_us - _SKEW_US

    async def tail(self, place: Place, deadline: float) -> Tail:
        """Return the tail of a partition that has seen the whole token window.

        Raises:
            Unavailable: It has not by the deadline; reading goes on meanwhile.
        """
        ready = self._ready.get(place)
        if ready is not None and ready.end is None:
            ready.forget(self.remembered_since_us)
            return ready
        opening = self._opening.get(place)
        if opening is None:
            # Held until it is done; `close` ends it.
            task = asyncio.get_running_loop().create_task(self._open(place))
            opening = self._opening[place] = _Opening(task)
            task.add_done_callback(lambda done: self._opened(place, done))
        left_s = deadline - self.clock.monotonic()
        await asyncio.wait([opening.task], timeout=max(0.0, left_s))
        if opening.task.cancelled():
            raise Unavailable("the adapter is closed")
        if opening.task.done():
            return opening.task.result()
        raise Unavailable(
            f"the tokens of partition {place.partition} of topic {place.topic} are still being "
            f"read ({opening.progress}), and nothing was appended; send again",
            retry_after_s=0.5,
        )

    async def grown(self, place: Place, offset: int, deadline: float) -> None:
        """Wait until a partition may have a record at an offset or after it, or time is up."""
        opening = self._opening.get(place)
        if opening is not None:
            # It reads the same partition, and a consumer can stand at one place only.
            left_s = deadline - self.clock.monotonic()
            await asyncio.wait([opening.task], timeout=max(0.0, left_s))
        tail = self._ready.get(place)
        if tail is not None and tail.end is None:
            await self._moved(tail, offset, deadline)
            return
        if place in self._opening:
            return
        watch = self._watched.get(place)
        if watch is None or watch.tail.end is not None:
            watch = self._watched[place] = _Watch(Tail(place, offset, 0, remembers=False))
            self.tails.follow(watch.tail)
        if watch.timer is not None:
            watch.timer.cancel()
        watch.followers += 1
        try:
            await self._moved(watch.tail, offset, deadline)
        finally:
            watch.followers -= 1
            if watch.followers == 0:
                loop = asyncio.get_running_loop()
                watch.timer = loop.call_later(_WATCH_S, self._unwatch, watch)

    async def close(self) -> None:
        """End every tail; whoever waits is told."""
        for opening in list(self._opening.values()):
            opening.task.cancel()
            await asyncio.wait([opening.task])
        error = Unavailable("the adapter is closed")
        unsettled = WriteOutcomeUnknown(
            "the adapter was closed while the record was under way; send it again with the same "
            "token to settle it"
        )
        for tail in self._ready.values():
            tail.close(error, unsettled)
        for watch in self._watched.values():
            if watch.timer is not None:
                watch.timer.cancel()
            watch.tail.close(error, unsettled)
        self._ready.clear()
        self._watched.clear()

    def _opened(self, place: Place, task: asyncio.Task[Tail]) -> None:
        del self._opening[place]
        if not task.cancelled():
            # Asked for, so that an error which no one waits for any more is not reported as lost.
            task.exception()

    def drop_full(self, tail: Tail) -> None:
        """Let a tail that is full be read anew after a while, when tokens may have aged."""
        loop = asyncio.get_running_loop()
        error = Unavailable("the tokens of the partition are being read anew; send again")
        if tail.full_timer is None:
            unsettled = WriteOutcomeUnknown("the record is not settled; send it again")
            tail.full_timer = loop.call_later(_FULL_REST_S, tail.close, error, unsettled)

    async def _open(self, place: Place) -> Tail:
        start, end = await self.readers.run(
            _window(place, self.remembered_since_us), self.clock.monotonic() + _LOOK_UP_S
        )
        tail = Tail(place, start, self.tokens_max, remembers=True)
        self.tails.follow(tail)
        watch = self._watched.pop(place, None)
        if watch is not None:
            watch.tail.close(Unavailable("another tail reads on"), Unavailable("nothing was sent"))
        try:
            await self._catch_up(tail, start, end)
        except BaseException:
            self.tails.leave(tail)
            raise
        self._ready[place] = tail
        return tail

    async def _catch_up(self, tail: Tail, start: int, end: int) -> None:
        opening = self._opening[tail.place]
        while tail.position < end:
            if tail.end is not None:
                raise tail.end
            opening.progress = f"{tail.position - start} of {end - start} records"
            before = tail.position
            await self._moved(tail, end - 1, self.clock.monotonic() + _PROGRESS_S)
            if tail.position < end:
                _log.info("reading the tokens of %s: %s", tail.place, opening.progress)
            if tail.position == before and tail.end is None:
                raise Unavailable(
                    f"partition {tail.place.partition} of topic {tail.place.topic} cannot be "
                    "read, so its tokens are not known and nothing was appended; send again",
                    retry_after_s=0.5,
                )

    async def _moved(self, tail: Tail, offset: int, deadline: float) -> None:
        """Wait until a tail's position is past an offset, it has ended, or time is up."""
        while tail.position <= offset and tail.end is None:
            left_s = deadline - self.clock.monotonic()
            try:
                async with asyncio.timeout(left_s):
                    await tail.grown.wait()
            except TimeoutError:
                return

    def _unwatch(self, watch: _Watch) -> None:
        if watch.followers == 0 and self._watched.get(watch.tail.place) is watch:
            del self._watched[watch.tail.place]
            self.tails.leave(watch.tail)


def _window(place: Place, since_us: int) -> Work[tuple[int, int]]:
    """Return the work that finds where the token window begins and where the partition ends."""

    def work(consumer: Consumer, budget: Budget) -> tuple[int, int]:
        _, end = consumer.watermarks(place, budget.left_s())
        start = consumer.offset_at(place, max(0, since_us // 1_000), budget.left_s())
        return end if start is None else start, end

    return work
