"""One consumer on one thread that reads the ends of all partitions that this worker cares for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from dataclasses import dataclass

from taulu.model import TauluError, Unavailable, WriteOutcomeUnknown
from taulu_kafka._driver import Config, Consumer, DriverError, Fetched, Place, Reached, Stumbled
from taulu_kafka.stamp import read_stamp, token_digest
from taulu_kafka.tail import Seen, Tail

_log = logging.getLogger(__name__)

_TAKE_MAX = 1_000
_BUSY_S = 0.02
_IDLE_S = 0.5
_LEARN_S = 1.0
_REST_S = 0.2
_BATCHES_MAX = 8
"""How many batches may wait for the event loop before the thread waits for it."""
_LOST = frozenset({"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"})
"""Errors after which a partition is no more read: what was to be read next is not there."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What the thread is to do: read a partition for a tail, or read it no more."""

    tail: Tail
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class _News:
    """What the thread read for one tail, in order."""

    tail: Tail
    seen: list[Seen]
    reached: int
    """The offset before which nothing else stands."""
    lost: DriverError | None = None


class Tails:
    """Hands what is read to the tails, on the event loop."""

    def __init__(self, config: Config) -> None:
        self._loop = asyncio.get_running_loop()
        self._consumer = Consumer(config)
        self._changes: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_BATCHES_MAX)
        self._stopping = threading.Event()
        self._reading: dict[Place, Tail] = {}
        self._thread = threading.Thread(target=self._run, name="taulu-kafka-tails", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def follow(self, tail: Tail) -> None:
        """Read a partition from a tail's position on; another tail of it gets nothing more."""
        self._changes.put(_Change(tail, is_wanted=True))

    def leave(self, tail: Tail) -> None:
        """Read a partition no more, unless another tail has taken it over."""
        self._changes.put(_Change(tail, is_wanted=False))

    def stop(self) -> None:
        """End the thread and close the consumer. Blocks."""
        self._stopping.set()
        self._changes.put(None)
        self._room.release()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._change()
                if self._reading:
                    self._read()
            except DriverError as error:
                _log.warning("the ends of the logs cannot be read: %s", error)
                self._stopping.wait(_REST_S)
        self._consumer.close()

    def _change(self) -> None:
        """Do what was asked for; wait for it when there is nothing to read."""
        try:
            change = self._changes.get(timeout=_IDLE_S) if not self._reading else None
            while change is not None or not self._changes.empty():
                if change is not None:
                    self._apply(change)
                change = self._changes.get_nowait()
        except queue.Empty:
            return

    def _apply(self, change: _Change) -> None:
        place = change.tail.place
        before = self._reading.get(place)
        if change.is_wanted:
            if before is not None:
                self._consumer.drop(place)
            self._reading[place] = change.tail
            with contextlib.suppress(DriverError):
                self._consumer.learn(place, _LEARN_S)
            self._consumer.add(place, change.tail.position)
        elif before is change.tail:
            del self._reading[place]
            self._consumer.drop(place)

    def _read(self) -> None:
        news: dict[Place, _News] = {}
        for event in self._consumer.take(_TAKE_MAX, _BUSY_S):
            if isinstance(event, Stumbled):
                self._stumble(event, news)
                continue
            tail = self._reading.get(event.place)
            if tail is None:
                continue
            told = news.setdefault(event.place, _News(tail, [], 0))
            news[event.place] = _add(told, event)
        if news:
            self._room.acquire()
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._deliver, list(news.values()))

    def _stumble(self, event: Stumbled, news: dict[Place, _News]) -> None:
        place = event.place
        tail = None if place is None else self._reading.get(place)
        if place is None or tail is None or event.error.name not in _LOST:
            # The driver tries again by itself, for as long as it takes.
            _log.info("reading the ends of the logs: %s", event.error)
            return
        told = news.get(place) or _News(tail, [], 0)
        news[place] = _News(tail, told.seen, told.reached, event.error)
        del self._reading[place]
        self._consumer.drop(place)

    def _deliver(self, batch: list[_News]) -> None:
        self._room.release()
        for news in batch:
            for seen in news.seen:
                news.tail.see(seen)
            news.tail.skip_to(news.reached)
            if news.lost is not None:
                news.tail.close(*_lost(news.tail.place, news.lost))
            news.tail.wake()


def _add(told: _News, event: Fetched | Reached) -> _News:
    if isinstance(event, Reached):
        return _News(told.tail, told.seen, event.offset)
    stamp = read_stamp(event.headers)
    if stamp is not None:
        seen = Seen(
            event.offset, token_digest(stamp.token), stamp.effect, stamp.time_us, stamp.checked
        )
        told.seen.append(seen)
    return _News(told.tail, told.seen, event.offset + 1)


def _lost(place: Place, error: DriverError) -> tuple[TauluError, TauluError]:
    what = f"partition {place.partition} of topic {place.topic}"
    ended = Unavailable(
        f"{what} no longer has what was to be read next; send again ({error})", retry_after_s=0.1
    )
    unsettled = WriteOutcomeUnknown(
        f"{what} lost its end while the record was under way; send it again with the same token "
        f"to settle it ({error})"
    )
    return ended, unsettled
