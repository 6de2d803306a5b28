"""A simulated shared cache: the tier and the carrier of the memory adapter's kind, far away.

Every call takes a way there and back; either way may be slow or lose what it carries. A call
that its caller gave up takes effect all the same. Messages keep the order of their sender, not
that of different senders.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from taulu.model import Unavailable
from taulu.spi import Answer, Ask, Fill, SharedCache
from taulu_memory.shared_tier import MemoryTier
from tests.cache.sim_time import SimClock, now_s

ResultT = TypeVar("ResultT")
HANG_S = 2.0
"""How long a call waits that gets no answer."""


@dataclass(slots=True)
class NetworkFaults:
    """How the way to the shared cache misbehaves; shares of calls, and delays in seconds."""

    delay_s: float = 0.0005
    slow_share: float = 0.01
    slow_s: float = 0.2
    lose_share: float = 0.0
    """Calls that are lost on one of their ways."""
    tier_lose_share: float = 0.0
    """The same for the tier's calls alone."""
    news_s: float = 0.0
    """How much longer a message may be on its way to a listener."""
    mute_share: float = 0.0
    """Messages that one listener does not get."""
    cut: set[str] = field(default_factory=set[str])
    """Gateways that reach nothing, and hear nothing."""
    mute: set[str] = field(default_factory=set[str])
    """Gateways whose messages are taken, and reach nobody."""
    deaf: set[str] = field(default_factory=set[str])
    """Gateways that hear nothing, and do not notice."""


@dataclass(slots=True)
class Network:
    """The shared cache's server, and the ways of all gateways to it."""

    choose: random.Random
    faults: NetworkFaults = field(default_factory=NetworkFaults)
    tier: MemoryTier = field(default_factory=lambda: MemoryTier(SimClock()))
    members: set[str] = field(default_factory=set[str])
    members_since_us: int | None = 0
    """None where they were lost, and none has entered itself again."""
    listeners: dict[str, asyncio.Queue[bytes | None]] = field(
        default_factory=dict[str, "asyncio.Queue[bytes | None]"]
    )
    is_up: bool = True
    _arrivals: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    def view(self, name: str) -> NetworkView:
        """Return one gateway's way to the shared cache."""
        return NetworkView(self, name)

    def fall(self, *, forgets: bool) -> None:
        """End the server: every connection breaks, and its memory may be lost."""
        self.is_up = False
        self.break_ways(list(self.listeners))
        if forgets:
            self.tier.forget()
            self.members.clear()
            self.members_since_us = None

    def rise(self) -> None:
        """Start it again."""
        self.is_up = True

    def break_ways(self, names: Sequence[str]) -> None:
        """Break the connections on which these listen."""
        for name in names:
            inbox = self.listeners.pop(name, None)
            if inbox is not None:
                inbox.put_nowait(None)

    def way_s(self) -> float:
        """Return how long one way takes."""
        faults, choose = self.faults, self.choose
        if choose.random() < faults.slow_share:
            return choose.random() * faults.slow_s
        return choose.expovariate(1 / faults.delay_s)

    def publish(self, sender: str, message: bytes) -> None:
        """Hand a message to all who listen, in the order of its sender."""
        faults = self.faults
        for name, inbox in self.listeners.items():
            is_lost = self.choose.random() < faults.mute_share
            if is_lost or sender in faults.mute or name in faults.deaf:
                continue
            way_s = self.way_s() + self.choose.random() * faults.news_s
            arrival_s = max(self._arrivals.get((sender, name), 0.0), now_s() + way_s)
            self._arrivals[sender, name] = arrival_s + 1e-7
            asyncio.get_running_loop().call_at(arrival_s, inbox.put_nowait, message)


class NetworkView:
    """The shared cache as one process sees it."""

    def __init__(self, network: Network, name: str) -> None:
        self.shared_cache = SharedCache(_Tier(self), _Carrier(self))
        self.network = network
        self.name = name
        self.is_dead = False
        """Whether the process was killed: it does nothing more."""

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets through."""
        return self.is_dead or self.name in self.network.faults.cut

    async def call(
        self, work: Callable[[], Coroutine[None, None, ResultT]], more_lost: float = 0.0
    ) -> ResultT:
        """Let the server do something, on whatever ways there are."""
        network = self.network
        if self.is_dead:
            raise Unavailable("this process was killed")
        if not network.is_up:
            raise Unavailable("the connection was refused")
        lost = network.choose.random()
        share = network.faults.lose_share + more_lost
        if self.is_cut or lost < share / 2:
            await asyncio.sleep(HANG_S)
            raise Unavailable("no answer came")
        done: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(network.way_s(), self._arrive, work, done)
        result = await asyncio.shield(done)
        if lost < share:
            await asyncio.sleep(HANG_S)
            raise Unavailable("no answer came")
        await asyncio.sleep(network.way_s())
        return result

    def _arrive(
        self, work: Callable[[], Coroutine[None, None, ResultT]], done: asyncio.Future[ResultT]
    ) -> None:
        if not self.network.is_up:
            done.set_exception(Unavailable("the connection broke"))
            done.exception()
            return
        step = work()
        try:
            step.send(None)
        except StopIteration as stop:
            done.set_result(stop.value)
        else:
            raise RuntimeError("a call of the simulated server takes one step")


@dataclass(slots=True)
class _Tier:
    """See `SharedTier`."""

    view: NetworkView

    async def get(self, table: str, asks: Sequence[Ask], lease_us: int) -> list[Answer]:
        return await self._call(lambda: self.view.network.tier.get(table, asks, lease_us))

    async def fill(self, table: str, fills: Sequence[Fill]) -> list[bool]:
        return await self._call(lambda: self.view.network.tier.fill(table, fills))

    async def release(self, table: str, leases: Sequence[tuple[bytes, bytes, str]]) -> None:
        await self._call(lambda: self.view.network.tier.release(table, leases))

    async def drop(self, table: str, places: Sequence[bytes]) -> None:
        await self._call(lambda: self.view.network.tier.drop(table, places))

    async def _call(self, work: Callable[[], Coroutine[None, None, ResultT]]) -> ResultT:
        return await self.view.call(work, self.view.network.faults.tier_lose_share)


@dataclass(slots=True)
class _Carrier:
    """See `Carrier`."""

    view: NetworkView

    async def send(self, message: bytes) -> None:
        async def publish() -> None:
            self.view.network.publish(self.view.name, message)

        await self.view.call(publish)

    async def listen(self) -> AsyncGenerator[bytes]:
        network, name = self.view.network, self.view.name
        inbox: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def subscribe() -> None:
            network.listeners[name] = inbox

        await self.view.call(subscribe)
        yield b""
        while (message := await inbox.get()) is not None:
            if not self.view.is_cut:
                yield message
        raise Unavailable("the connection broke")

    async def enrol(self, member: str) -> None:
        async def add() -> None:
            network = self.view.network
            network.members.add(member)
            if network.members_since_us is None:
                network.members_since_us = SimClock().now_us()

        await self.view.call(add)

    async def members(self) -> frozenset[str]:
        async def read() -> frozenset[str]:
            return frozenset(self.view.network.members)

        return await self.view.call(read)

    async def strike(self, member: str) -> None:
        async def remove() -> None:
            self.view.network.members.discard(member)

        await self.view.call(remove)

    async def kept_since_us(self) -> int:
        async def read() -> int:
            since_us = self.view.network.members_since_us
            return SimClock().now_us() if since_us is None else since_us

        return await self.view.call(read)
