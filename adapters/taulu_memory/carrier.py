"""News between the gateways of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeAlias

from taulu.model import Unavailable

_UNREAD_MAX = 10_000
"""Messages that may wait for one listener; one more, and it has lost its way."""

_Inbox: TypeAlias = "asyncio.Queue[bytes | None]"
"""What a listener has not read yet; None says that no more is coming."""


class MemoryCarrier:
    """A `Carrier` by queues, one for each listener."""

    def __init__(self) -> None:
        self._is_up = True
        self._inboxes: list[_Inbox] = []
        self._members: set[str] = set()

    @property
    def is_up(self) -> bool:
        """Whether it carries; set it to False, and listeners and calls raise `Unavailable`."""
        return self._is_up

    @is_up.setter
    def is_up(self, is_up: bool) -> None:
        self._is_up = is_up
        if not is_up:
            self.cut()

    def cut(self) -> None:
        """End every listening that is under way, as a lost connection does."""
        for inbox in self._inboxes:
            _end(inbox)
        self._inboxes.clear()

    async def send(self, message: bytes) -> None:
        """See `Carrier.send`."""
        self._check()
        for inbox in list(self._inboxes):
            if inbox.qsize() < _UNREAD_MAX:
                inbox.put_nowait(message)
            else:
                self._inboxes.remove(inbox)
                _end(inbox)

    async def listen(self) -> AsyncGenerator[bytes]:
        """See `Carrier.listen`."""
        self._check()
        inbox: _Inbox = asyncio.Queue()
        self._inboxes.append(inbox)
        try:
            yield b""
            while (message := await inbox.get()) is not None:
                yield message
        finally:
            if inbox in self._inboxes:
                self._inboxes.remove(inbox)
        raise Unavailable("the way from the other gateways was cut; listen again")

    async def enrol(self, member: str) -> None:
        """See `Carrier.enrol`."""
        self._check()
        self._members.add(member)

    async def members(self) -> frozenset[str]:
        """See `Carrier.members`."""
        self._check()
        return frozenset(self._members)

    async def strike(self, member: str) -> None:
        """See `Carrier.strike`."""
        self._check()
        self._members.discard(member)

    async def kept_since_us(self) -> int:
        """See `Carrier.kept_since_us`; the list lives as long as all who use it."""
        self._check()
        return 0

    def _check(self) -> None:
        if not self._is_up:
            raise Unavailable("the carrier in memory is switched off; switch it on again")


def _end(inbox: _Inbox) -> None:
    """Let the listener find the end at once: after a loss nothing in between is of use."""
    while not inbox.empty():
        inbox.get_nowait()
    inbox.put_nowait(None)
