"""News between gateways, by PUBLISH and SUBSCRIBE, and the list of those who send them.

All send to the server that has the hash slot of the channel's name, and listen there: a primary
that was deposed is then noticed as it is for tables. A message is sent once: one whose `send`
failed may still arrive, and later than those that were sent after it.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import AsyncGenerator
from typing import cast

from taulu.model import Clock, TauluError, Unavailable
from taulu_redis import mapping
from taulu_redis._driver import Argument, DriverError, Reply
from taulu_redis.calls import Calls, Command, Wish
from taulu_redis.subscription import Lost, Subscription, Terms, subscribe

_ECHO_BYTES = 8


class RedisCarrier:
    """A `Carrier` on one channel for all gateways that use the same servers and `db`."""

    def __init__(self, calls: Calls, clock: Clock) -> None:
        self._calls = calls
        self._clock = clock
        # Channels know no databases, so the name has to tell them apart.
        self._tag = b"taulu:{cache:%d}" % calls.settings.db
        self._channel = self._tag + b":news"
        # A hash: beside a field for each member one without a name, which says since when.
        self._members = self._tag + b":members"
        self._subscriptions: set[Subscription] = set()

    async def send(self, message: bytes) -> None:
        """See `Carrier.send`. Where `quorum_replicas` is declared, it is confirmed by them."""
        await self._run(("PUBLISH", self._channel, message), self._channel, is_once=True)

    async def listen(self) -> AsyncGenerator[bytes]:
        """See `Carrier.listen`. A loss is noticed within `news_timeout_s`."""
        subscription: Subscription | None = None
        try:
            subscription = await self._subscribe()
            self._subscriptions.add(subscription)
            yield b""
            while True:
                yield await subscription.next()
        except (Lost, DriverError, OSError) as trouble:
            raise mapping.lost(str(trouble) or type(trouble).__name__) from trouble
        finally:
            if subscription is not None:
                self._subscriptions.discard(subscription)
                await subscription.close()

    async def close(self) -> None:
        """End every listening."""
        for subscription in list(self._subscriptions):
            await subscription.close()

    async def enrol(self, member: str) -> None:
        """See `Carrier.enrol`."""
        begun = ("HSETNX", self._members, b"", str(self._clock.now_us()))
        await self._run(begun, self._members)
        await self._run(("HSET", self._members, member, b""), self._members)

    async def members(self) -> frozenset[str]:
        """See `Carrier.members`."""
        found = await self._run(("HKEYS", self._members), self._members)
        return frozenset(member.decode() for member in cast("list[bytes]", found) if member)

    async def strike(self, member: str) -> None:
        """See `Carrier.strike`."""
        await self._run(("HDEL", self._members, member), self._members)

    async def kept_since_us(self) -> int:
        """See `Carrier.kept_since_us`. It says now where nobody has begun a list again yet."""
        found = await self._run(("HGET", self._members, b""), self._members)
        return self._clock.now_us() if found is None else int(cast(bytes, found))

    async def _run(
        self, words: tuple[Argument, ...], key: bytes, *, is_once: bool = False
    ) -> Reply:
        deadline = self._clock.monotonic() + self._calls.settings.news_timeout_s
        wish = Wish(deadline, is_write=False, confirmed_since=math.inf, is_once=is_once)
        try:
            return await self._calls.one(Command(key, words), wish)
        except Unavailable:
            raise
        except TauluError as error:
            raise mapping.uncached(error) from error

    async def _subscribe(self) -> Subscription:
        settings = self._calls.settings
        terms = Terms(
            self._channel,
            self._tag + b":echo:" + secrets.token_hex(_ECHO_BYTES).encode(),
            settings.news_timeout_s,
            settings.quorum_replicas or 0,
        )
        setup_s = settings.discovery_timeout_s + settings.connect_timeout_s
        try:
            async with asyncio.timeout(setup_s):
                await self._calls.topology.discover()
                node = self._calls.topology.node_of(self._channel)
                return await subscribe(node, terms, self._clock)
        except TimeoutError as error:
            raise Lost("no server could be listened to in time") from error
        except TauluError as error:
            raise mapping.uncached(error) from error
