"""News of writes between the workers that share a store, and what they are worth.

Each worker is a *member*: it numbers what it sends, and says every so often how far it has
counted. Whoever has heard all numbers of a member up to a time knows of every write that the
member acknowledged before that time. When that is so of all members, entries that were read
since nothing was missed are as good as read at that time: the channel *vouches* for them.

A message that was lost, a member that is silent, or a way that broke takes the vouching away,
and leaves each entry the table's bound, counted from its own read. Nothing else depends on the
channel. A member that ends says so. One that vanished is remembered for `forget_s`; one that
finds itself cut off for half of that refuses writes that others may have stopped waiting for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from taulu.cache.demand import NO_TRUST, Trust
from taulu.cache.send_queue import Places, Run, SendQueue
from taulu.model.clock import Clock
from taulu.model.errors import TauluError, Unavailable
from taulu.spi.shared_cache import Carrier

_log = logging.getLogger(__name__)

SEND_S_MAX = 0.5
"""How long a member tries to send; past that the others find out by the numbers."""
PAUSE_S = 0.5
"""How long after a failure writes do not try to send, so that they do not wait in a queue."""
LISTEN_AGAIN_S = 0.1


class _Message(msgspec.Struct, array_like=True, frozen=True):
    sender: str
    epoch: int
    """Another one each time the sender's process starts."""
    number: int
    """1 for the first message of an epoch."""
    is_beat: bool
    """Whether it only repeats the number of the message before it."""
    sent_us: int
    places: dict[str, list[bytes]]
    """The places that were written, by table; empty when the message says nothing of writes."""
    is_last: bool = False
    """Whether the sender ends, and will acknowledge no more writes."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Message)

OnNews = Callable[[str, Sequence[bytes]], None]
"""Told the table and the places that were written."""


@dataclass(slots=True)
class _Peer:
    """What is known of another member."""

    heard_s: float
    """When it was last heard, or first heard of."""
    epoch: int = 0
    number: int = 0
    until_s: float = float("-inf")
    """Up to when all its news have come."""


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """Times of a channel, in seconds; see `CacheOptions`."""

    beat_s: float
    skew_s: float
    forget_s: float


@dataclass(slots=True)
class Channel:
    """One worker's end of the channel over one carrier."""

    me: str
    epoch: int
    carrier: Carrier
    clock: Clock
    options: ChannelOptions
    on_news: OnNews
    run: Run
    """Runs what the channel does beside the calls of its worker."""
    _peers: dict[str, _Peer] = field(default_factory=dict[str, _Peer])
    _number: int = 0
    _since_s: float = float("inf")
    """Nothing that was sent since was missed; infinite while the way is broken."""
    _members_s: float = float("-inf")
    """When the list of members was last read."""
    _sent_s: float = float("-inf")
    """When something was last sent for sure."""
    _listed_s: float = float("-inf")
    """When this member was last seen on the list, or put there."""
    _settled_s: float = float("-inf")
    """Until when the list may lack a member that writes."""
    _is_over: bool = False
    """Whether this member has taken leave."""
    _failed_s: float = float("-inf")
    """When something could last not be sent."""
    _queue: SendQueue = field(init=False)
    gaps: int = 0
    """How often something was missed."""

    def __post_init__(self) -> None:
        self._queue = SendQueue(self.run, self._tell)

    async def open(self) -> None:
        """Join the members and say so, before anything is acknowledged.

        Raises:
            Unavailable: The carrier cannot be reached; the others would not know of us.
        """
        if self.me in await self.carrier.members():
            # One of this name ended without taking leave. Its last news may have been missed by
            # some who never heard of it: this epoch begins with a gap, which tells them.
            self._number += 1
        begun_s = self.clock.monotonic()
        await self.carrier.enrol(self.me)
        self._listed_s = begun_s
        self._settled_s = begun_s + await self._unsettled_s()
        async with self._queue.turn:
            await self._send({})
        self.run(self._listen())
        self.run(self._keep_beating())

    async def close(self) -> None:
        """Take leave, once all news are sent, so that the others need not wait for us."""
        await self._queue.flush()
        # Else something would come after the last message, or enter this member again.
        self._is_over = True
        try:
            async with self._queue.turn:
                await self._send({}, is_last=True)
            await self.carrier.strike(self.me)
        except TauluError as error:
            _log.warning("could not take leave of the other gateways: %s", error)

    def trust(self) -> Trust:
        """Return what the channel vouches for now."""
        if self._since_s == float("inf") or self.clock.monotonic() < self._settled_s:
            return NO_TRUST
        until_s = min((peer.until_s for peer in self._peers.values()), default=self._members_s)
        return Trust(self._since_s, min(until_s, self._members_s))

    def why_not(self, bound_s: float) -> str:
        """Return why nothing older than a bound is vouched for; empty when it is."""
        now_s = self.clock.monotonic()
        if self._since_s == float("inf"):
            return "the others' news cannot be heard"
        if now_s < self._settled_s:
            left_s = self._settled_s - now_s
            return f"the list of members is new and may lack some for another {left_s:.0f} s"
        if now_s - self._members_s > bound_s:
            return "the list of members could not be read"
        for member, peer in self._peers.items():
            if now_s - peer.until_s > bound_s:
                return f"member {member} has been silent for {now_s - peer.heard_s:.1f} s"
        return ""

    def check_not_cut_off(self, table: str) -> None:
        """Refuse a write that gateways might miss which have forgotten us.

        Raises:
            Unavailable: For half of `forget_s` nothing could be sent, or this member could not
                make sure that it is on the list.
        """
        silent_s = self.clock.monotonic() - min(self._sent_s, self._listed_s)
        if silent_s > self.options.forget_s / 2:
            raise Unavailable(
                f"this gateway could not tell the others of writes for {silent_s:.0f} s, so "
                f"{table}, which they cache for longer than its bound, is not written; mend the "
                "way to the target of `cache.shared`, or use another gateway",
                details={"table": table},
            )

    async def announce(self, table: str, places: Sequence[bytes]) -> None:
        """Tell all members that places of a table were written, together with what others wrote.

        Failing to is not reported: the numbers tell the others that they missed something.
        """
        await self._queue.put(table, places)

    def lose(self) -> None:
        """Make all members, this one too, trust nothing that was read before beyond its bound.

        For a write whose copies in the shared tier may not be gone.
        """
        self._number += 1
        self._miss()

    async def _tell(self, places: Places) -> None:
        try:
            if self._is_over:
                raise Unavailable("this member has taken leave")
            await self._send(places)
        except TauluError as error:
            tables = ", ".join(places)
            _log.warning("the news of writes on %s may not have been sent: %s", tables, error)

    async def _send(self, places: Places, *, is_last: bool = False) -> None:
        # Counted before it is sent: what fails leaves a gap that the next beat shows.
        self._number += 1
        if self.clock.monotonic() - self._failed_s < PAUSE_S:
            raise Unavailable("the way to the other gateways is broken")
        await self._hand_over(self._message(places, is_last=is_last))

    def _message(self, places: Places, *, is_beat: bool = False, is_last: bool = False) -> _Message:
        now_us = self.clock.now_us()
        named = {table: list(found) for table, found in places.items()}
        return _Message(self.me, self.epoch, self._number, is_beat, now_us, named, is_last)

    async def _hand_over(self, message: _Message) -> None:
        try:
            async with asyncio.timeout(SEND_S_MAX):
                await self.carrier.send(_encoder.encode(message))
        except (TauluError, TimeoutError) as error:
            self._failed_s = self.clock.monotonic()
            raise Unavailable(f"nothing could be sent within {SEND_S_MAX:g} s") from error
        self._sent_s = self.clock.monotonic()

    async def beat(self) -> None:
        """Say that this member is there and how far it has counted, and see who else is."""
        try:
            async with self._queue.turn:
                if self._is_over:
                    return
                await self._hand_over(self._message({}, is_beat=True))
            await self._read_members()
        except TauluError as error:
            _log.warning("the other gateways cannot be told that this one is here: %s", error)

    async def _keep_beating(self) -> None:
        while True:
            await self.beat()
            await asyncio.sleep(self.options.beat_s)

    async def _read_members(self) -> None:
        begun_s = self.clock.monotonic()
        try:
            async with asyncio.timeout(SEND_S_MAX):
                members = await self.carrier.members()
                # One that was heard may be cut off, and missing from a list that was lost. One
                # that never was has ended, or was forgotten by others; all its news were missed.
                unheard = {m for m, peer in self._peers.items() if not peer.epoch} - members
                if unheard and await self._unsettled_s() > 0:
                    unheard = set[str]()
        except TimeoutError as error:
            raise Unavailable("the list of members could not be read") from error
        for member in members - {self.me} - self._peers.keys():
            self._peers[member] = _Peer(begun_s)
        for member in unheard & self._peers.keys():
            del self._peers[member]
            self._miss()
        if self.me not in members and not self._is_over:
            await self.carrier.enrol(self.me)
        self._listed_s = begun_s
        self._members_s = begun_s
        await self._forget()

    async def _unsettled_s(self) -> float:
        """Return for how long the list may still lack a member that writes; at most 0 if not.

        Where a list was lost with a member that was cut off before, that one cannot enter itself
        again. It refuses writes when it was cut off for half of `forget_s`; the other half is for
        those that are under way then.
        """
        age_s = (self.clock.now_us() - await self.carrier.kept_since_us()) / 1e6
        return self.options.forget_s + self.options.skew_s - age_s

    async def _forget(self) -> None:
        now_s = self.clock.monotonic()
        for member, peer in list(self._peers.items()):
            if now_s - peer.heard_s > self.options.forget_s:
                _log.warning("member %s was silent for too long and is forgotten", member)
                await self.carrier.strike(member)
                self._peers.pop(member, None)
                # Its last news may have been lost, and nobody will tell.
                self._miss()

    async def _listen(self) -> None:
        while True:
            try:
                # Closed here and now when this task is cancelled, not some time later.
                async with aclosing(self.carrier.listen()) as messages:
                    async for data in messages:
                        if not data:
                            self._since_s = self.clock.monotonic()
                        else:
                            self.receive(data)
            except TauluError as error:
                _log.warning("the news of other gateways' writes cannot be heard: %s", error)
            self._since_s = float("inf")
            self.gaps += 1
            await asyncio.sleep(LISTEN_AGAIN_S)

    def receive(self, data: bytes) -> None:
        """Take in one message."""
        try:
            message = _decoder.decode(data)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            _log.error("what was heard is no message of this release: %s", error)
            self._miss()
            return
        if message.sender == self.me:
            return
        for table, places in message.places.items():
            self.on_news(table, places)
        self._count(message)

    def _count(self, message: _Message) -> None:
        now_s = self.clock.monotonic()
        peer = self._peers.setdefault(message.sender, _Peer(now_s))
        if message.epoch == peer.epoch:
            expected = message.number == peer.number + (0 if message.is_beat else 1)
        else:
            # The first of an epoch is missed by none who listened, or by all who did not.
            expected = message.number == 1 and peer.epoch == 0
        if not expected:
            self._miss()
        age_s = (self.clock.now_us() - message.sent_us) / 1e6
        peer.epoch, peer.number, peer.heard_s = message.epoch, message.number, now_s
        # A sender whose clock is ahead has sent earlier than it says.
        peer.until_s = max(peer.until_s, now_s - max(age_s, 0.0) - self.options.skew_s)
        if message.is_last:
            del self._peers[message.sender]

    def _miss(self) -> None:
        """Trust nothing that was read before now beyond its bound."""
        self.gaps += 1
        if self._since_s != float("inf"):
            self._since_s = self.clock.monotonic()
