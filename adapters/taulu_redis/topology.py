"""Where the primaries are: one server, whoever the sentinels name, or the nodes of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from taulu.model import Clock, ConfigError, Unavailable
from taulu_redis._driver import Argument, DriverError, Reply, ReplyError
from taulu_redis.greeting import Greeting
from taulu_redis.node import Node, ask
from taulu_redis.settings import Address, RedisSettings

_FIND_S_MAX = 3.0
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Replicas:
    """The replicas of one primary."""

    count: int
    """All that may answer WAIT."""
    candidates: int
    """Those among them that a failover may choose."""

    def check(self, waited: int | None, whose: str) -> None:
        """Refuse replicas of which one may take over without what others have confirmed.

        WAIT counts whoever answers, so all of them must, unless none may take over.

        Raises:
            ConfigError: There are more.
        """
        if waited is None or not self.candidates or self.count <= waited:
            return
        raise ConfigError(
            f"{whose} has {self.count} replicas, of which {self.candidates} may take over, and "
            f"QUORUM waits for {waited}: a failover could choose one without the write; set "
            "quorum_replicas to all of them, those that may not take over too"
        )


class Topology(Protocol):
    """Finds the node that a key is on."""

    async def discover(self) -> None:
        """Find the primaries anew; callers that come meanwhile share the result.

        Raises:
            Unavailable: There is none to be found.
            ConfigError: There are more replicas than QUORUM waits for.
        """

    def node_of(self, key: bytes) -> Node:
        """Return the primary that has a key. Raises `Unavailable` when none is known."""
        ...

    def node_at(self, address: Address) -> Node:
        """Return the node at an address."""
        ...

    def primaries(self) -> Sequence[Node]:
        """Return all primaries that are known."""
        ...

    async def close(self) -> None:
        """Close every connection."""


async def find_servers(topology: Topology, clock: Clock) -> None:
    """Find the servers; no call waits yet, so that one which is slow may be asked again.

    Raises:
        Unavailable: They could not be found within `_FIND_S_MAX`.
        ConfigError: There are more replicas than QUORUM waits for.
    """
    give_up = clock.monotonic() + _FIND_S_MAX
    while True:
        try:
            return await topology.discover()
        except Unavailable:
            if clock.monotonic() >= give_up:
                raise
        await asyncio.sleep(_LOOK_AGAIN_S)


class Nodes:
    """The nodes that have been spoken to, by address."""

    def __init__(self, settings: RedisSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._known: dict[Address, Node] = {}

    def at(self, address: Address) -> Node:
        """Return the node at an address."""
        node = self._known.get(address)
        if node is None:
            node = Node(address, self._settings, self._clock, Greeting(self._settings))
            self._known[address] = node
        return node

    async def keep(self, addresses: set[Address]) -> None:
        """Forget the nodes at other addresses."""
        for address in [known for known in self._known if known not in addresses]:
            await self._known.pop(address).close()

    async def close(self) -> None:
        """Close every connection."""
        await self.keep(set())


class Standalone:
    """One server, which is never deposed."""

    def __init__(self, settings: RedisSettings, clock: Clock) -> None:
        self._nodes = Nodes(settings, clock)
        self._address = settings.addresses[0]

    async def discover(self) -> None:
        """See `Topology.discover`; there is nothing to find out."""

    def node_of(self, key: bytes) -> Node:
        """See `Topology.node_of`."""
        return self._nodes.at(self._address)

    def node_at(self, address: Address) -> Node:
        """See `Topology.node_at`."""
        return self._nodes.at(address)

    def primaries(self) -> Sequence[Node]:
        """See `Topology.primaries`."""
        return [self._nodes.at(self._address)]

    async def close(self) -> None:
        """See `Topology.close`."""
        await self._nodes.close()


class Discovery:
    """Runs one discovery at a time; whoever comes while it runs waits for its result."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._rounds = 0

    async def __aenter__(self) -> bool:
        """Wait for the turn; return whether another has just done the work."""
        seen = self._rounds
        await self._lock.acquire()
        return self._rounds != seen

    async def __aexit__(self, *failure: object) -> None:
        """Give the turn up."""
        if failure[0] is None:
            self._rounds += 1
        self._lock.release()


async def ask_all(
    addresses: Sequence[Address],
    settings: RedisSettings,
    commands: Sequence[Sequence[Argument]],
    *,
    is_sentinel: bool = False,
) -> dict[Address, list[Reply]]:
    """Ask several servers the same at once; return the replies of those that gave one in time."""
    found: dict[Address, list[Reply]] = {}

    async def ask_one(address: Address) -> None:
        try:
            async with asyncio.timeout(settings.discovery_timeout_s):
                replies = await ask(address, settings, commands, is_sentinel=is_sentinel)
        except (DriverError, OSError, TimeoutError):
            return
        if not any(isinstance(reply, ReplyError) for reply in replies):
            found[address] = replies

    async with asyncio.TaskGroup() as group:
        for address in addresses:
            group.create_task(ask_one(address))
    return found
