"""One listener's connections, and the proof that what is sent now still arrives.

A connection that is silent looks like one on which nobody speaks. So the listener speaks to
itself: it publishes on a channel of its own, over a second connection, and must hear it. Where
`quorum_replicas` is declared, replicas confirm each time that the server is still primary, and
so the one that all others send to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from taulu.model import Clock
from taulu_redis._driver import Argument, Connection, Reply, ReplyError
from taulu_redis.calls import confirmation, is_confirmed
from taulu_redis.node import Node

_REST_SHARE = 1 / 3
"""How much of `news_timeout_s` lies between one echo and the next call."""
_CALL_SHARE = 2 / 3
_CONFIRM_SHARE = 0.8
_TICKS = 10
"""A call's echo is waited for in so many ticks. Counting ticks instead of reading the clock
keeps a process that was itself held up from blaming the connection."""


class Lost(Exception):
    """Something may have been missed; the text says why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subscription listens to, and how closely it is watched."""

    channel: bytes
    """Its name, with a hash tag."""
    echo_channel: bytes
    """A channel that nobody else uses, with the same hash tag."""
    timeout_s: float
    """How long may pass until a loss is noticed."""
    replicas: int
    """How many replicas must confirm that the server is primary."""


@dataclass(slots=True, eq=False)
class Subscription:
    """A channel that is listened to. Every method raises `Lost`, `DriverError` or `OSError`."""

    terms: Terms
    clock: Clock
    ear: Connection
    mouth: Connection
    _reading: asyncio.Future[Reply] | None = field(default=None, init=False)
    _ticks_left: int = field(default=0, init=False)
    """While an echo is waited for."""
    _rest_until: float = field(default=0.0, init=False)
    _is_closed: bool = field(default=False, init=False)

    async def begin(self) -> None:
        """Subscribe, and return once a message that was sent has arrived."""
        await self.ear.send([("SUBSCRIBE", self.terms.channel, self.terms.echo_channel)])
        for _ in range(2):
            reply = await self.ear.receive()
            if isinstance(reply, ReplyError):
                raise Lost(reply.text)
        await self._call()
        while self._ticks_left:
            await self._step()

    async def next(self) -> bytes:
        """Wait for a message, and call and listen for the echo meanwhile."""
        while True:
            message = await self._step()
            if message is not None:
                return message

    async def close(self) -> None:
        """Close both connections; who waits for news finds it `Lost`. Safe to call twice."""
        self._is_closed = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
            if not self._reading.cancelled():
                # Asked for, so that asyncio does not report it as forgotten.
                self._reading.exception()
            self._reading = None
        await self.ear.close()
        await self.mouth.close()

    async def _step(self) -> bytes | None:
        """Wait a little; return a message if one came."""
        if self._is_closed:
            raise Lost("this gateway has closed it")
        if self._reading is None:
            # It may take longer than one step, and a read that is cut off loses its place.
            self._reading = asyncio.ensure_future(self.ear.receive())
        rest_s = self._rest_until - self.clock.monotonic()
        if not self._ticks_left and rest_s <= 0:
            await self._call()
        tick_s = self.terms.timeout_s * _CALL_SHARE / _TICKS
        reading = self._reading
        await asyncio.wait({reading}, timeout=tick_s if self._ticks_left else rest_s)
        if self._is_closed:
            raise Lost("this gateway has closed it")
        if reading.done():
            self._reading = None
            return self._take(reading.result())
        if self._ticks_left:
            self._ticks_left -= 1
            if not self._ticks_left:
                raise Lost("nothing is heard any more")
        return None

    async def _call(self) -> None:
        """Publish what must be heard, where all others publish."""
        call_s = self.terms.timeout_s * _CALL_SHARE
        words: list[tuple[Argument, ...]] = [("PUBLISH", self.terms.echo_channel, "")]
        if self.terms.replicas:
            wait_ms = max(1, int(call_s * _CONFIRM_SHARE * 1_000))
            words += confirmation(self.terms.channel, self.terms.replicas, wait_ms)
        try:
            async with asyncio.timeout(call_s):
                replies = await self.mouth.exchange(words)
        except TimeoutError as error:
            raise Lost("the server does not answer in time") from error
        _check(replies, self.terms.replicas)
        self._ticks_left = _TICKS

    def _take(self, reply: Reply) -> bytes | None:
        if isinstance(reply, ReplyError):
            raise Lost(reply.text)
        kind, channel, message = cast("list[Reply]", reply)
        if kind != b"message":
            raise Lost(f"a reply to {kind!r} came that nobody had asked for")
        if channel == self.terms.channel:
            return cast(bytes, message)
        self._ticks_left = 0
        self._rest_until = self.clock.monotonic() + self.terms.timeout_s * _REST_SHARE
        return None


def _check(replies: Sequence[Reply], replicas: int) -> None:
    if isinstance(replies[0], ReplyError):
        raise Lost(replies[0].text)
    if replicas and not is_confirmed(replies[1:], replicas):
        raise Lost("not all replicas confirmed in time that the server is still primary")


async def subscribe(node: Node, terms: Terms, clock: Clock) -> Subscription:
    """Connect to a node twice and subscribe."""
    ear = await node.open_alone()
    try:
        mouth = await node.open_alone()
    except BaseException:
        await ear.close()
        raise
    subscription = Subscription(terms, clock, ear, mouth)
    try:
        await subscription.begin()
    except BaseException:
        await subscription.close()
        raise
    return subscription
