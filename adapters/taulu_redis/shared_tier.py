"""The shared cache tier: a hash for each place, and a script for each step on one place.

What is here is a cache: no call waits for a replica or a disk. A server that took over, or came
back, may have missed a drop, so what another run of a server was given is void there: losing a
server costs what it had cached, and never brings back what a write has taken away.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from taulu.model import Clock, TauluError, Unavailable
from taulu.spi import Answer, Ask, Busy, Fill, Hit, Leased
from taulu_redis import mapping
from taulu_redis._driver import RUN_ID, Argument, Reply
from taulu_redis.calls import Calls, Command, Wish
from taulu_redis.scripts import FILL_CACHED, GET_CACHED, RELEASE_CACHED, Script

ItemT = TypeVar("ItemT")
_LEASE_BYTES = 8


def _new_lease() -> str:
    return secrets.token_hex(_LEASE_BYTES)


class RedisTier:
    """A `SharedTier`. Calls are bounded by `cache_timeout_s`; each is one pipeline per server."""

    def __init__(
        self, calls: Calls, clock: Clock, new_lease: Callable[[], str] = _new_lease
    ) -> None:
        self._calls = calls
        self._clock = clock
        self._new_lease = new_lease
        self._search: asyncio.Future[None] | None = None

    async def get(self, table: str, asks: Sequence[Ask], lease_us: int) -> list[Answer]:
        """See `SharedTier.get`. Leases are not left behind when a part of the batch fails."""
        lease = self._new_lease()
        batches = _by_place((ask.place, i) for i, ask in enumerate(asks))
        arguments = {
            place: [lease_us, lease, *(word for i in found for word in _words_of(asks[i]))]
            for place, found in batches.items()
        }
        replies = await self._run(_commands(GET_CACHED, table, arguments))
        answers = _in_order(len(asks), batches, replies)
        if trouble := _trouble_of(replies):
            given = [(ask.place, ask.variant, lease) for ask in asks]
            await self._give_back(table, [given[i] for i in range(len(asks)) if answers[i] == 1])
            raise trouble
        return [_answer(answer, lease) for answer in answers]

    async def fill(self, table: str, fills: Sequence[Fill]) -> list[bool]:
        """See `SharedTier.fill`. False is also the answer when a broken connection hid a True."""
        batches = _by_place((fill.place, i) for i, fill in enumerate(fills))
        arguments = {
            place: [word for i in found for word in _words_of_fill(fills[i])]
            for place, found in batches.items()
        }
        replies = await self._run(_commands(FILL_CACHED, table, arguments))
        if trouble := _trouble_of(replies):
            raise trouble
        return [answer == 1 for answer in _in_order(len(fills), batches, replies)]

    async def release(self, table: str, leases: Sequence[tuple[bytes, bytes, str]]) -> None:
        """See `SharedTier.release`."""
        if trouble := _trouble_of(await self._end(table, leases)):
            raise trouble

    async def drop(self, table: str, places: Sequence[bytes]) -> None:
        """See `SharedTier.drop`."""
        keys = [_key(table, place) for place in places]
        if trouble := _trouble_of(await self._run([Command(key, ("UNLINK", key)) for key in keys])):
            raise trouble

    async def close(self) -> None:
        """End what goes on behind the calls."""
        if self._search is not None:
            self._search.cancel()
            await asyncio.wait({self._search})

    async def _run(self, commands: Sequence[Command]) -> list[Reply | TauluError]:
        timeout_s = self._calls.settings.cache_timeout_s
        wish = Wish(self._clock.monotonic() + timeout_s, is_write=False, is_hurried=True)
        replies = await self._calls.run(commands, wish)
        if any(isinstance(reply, TauluError) for reply in replies):
            self._look_around()
        return replies

    async def _end(
        self, table: str, leases: Sequence[tuple[bytes, bytes, str]]
    ) -> list[Reply | TauluError]:
        batches = _by_place((place, (variant, lease)) for place, variant, lease in leases)
        arguments: dict[bytes, list[Argument]] = {
            place: [word for pair in pairs for word in pair] for place, pairs in batches.items()
        }
        return await self._run(_commands(RELEASE_CACHED, table, arguments))

    async def _give_back(self, table: str, leases: Sequence[tuple[bytes, bytes, str]]) -> None:
        """Let others try at once; where that fails, the leases run out."""
        if leases:
            await self._end(table, leases)

    def _look_around(self) -> None:
        """Find the primaries anew behind the calls: that may take longer than one call may."""
        if self._search is None or self._search.done():
            self._search = asyncio.ensure_future(self._discover())

    async def _discover(self) -> None:
        try:
            await self._calls.topology.discover()
        except TauluError:
            # The next call that fails looks again.
            return


def _key(table: str, place: bytes) -> bytes:
    return b"taulu:cached:" + table.encode() + b":" + place


def _by_place(pairs: Iterable[tuple[bytes, ItemT]]) -> dict[bytes, list[ItemT]]:
    found: dict[bytes, list[ItemT]] = {}
    for place, item in pairs:
        found.setdefault(place, []).append(item)
    return found


def _commands(
    script: Script, table: str, arguments: Mapping[bytes, Sequence[Argument]]
) -> list[Command]:
    return [
        Command.run(script, [_key(table, place)], [RUN_ID, *words])
        for place, words in arguments.items()
    ]


def _words_of(ask: Ask) -> tuple[Argument, ...]:
    version_min = "" if ask.version_min is None else ask.version_min
    return (ask.variant, ask.as_of_us_min, version_min)


def _words_of_fill(fill: Fill) -> tuple[Argument, ...]:
    return (fill.variant, fill.lease, fill.as_of_us, fill.version, fill.ttl_us, fill.entry)


def _in_order(
    count: int, batches: Mapping[bytes, Sequence[int]], replies: Sequence[Reply | TauluError]
) -> list[Reply]:
    """Return the parts of the replies in the order of the call; None where one is an error."""
    answers: list[Reply] = [None] * count
    for found, reply in zip(batches.values(), replies, strict=True):
        if isinstance(reply, list):
            for i, answer in zip(found, reply, strict=True):
                answers[i] = answer
    return answers


def _answer(answer: Reply, lease: str) -> Answer:
    if isinstance(answer, bytes):
        return Hit(answer)
    return Leased(lease) if answer == 1 else Busy()


def _trouble_of(replies: Sequence[Reply | TauluError]) -> Unavailable | None:
    """Return the error of the call when any part of it failed."""
    errors = [reply for reply in replies if isinstance(reply, TauluError)]
    return mapping.uncached(errors[0]) if errors else None
