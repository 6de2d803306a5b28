"""The nodes of a Redis Cluster: which primary has which hash slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taulu.model import Clock, Unavailable
from taulu_redis._driver import Reply, key_slot
from taulu_redis.node import Node
from taulu_redis.settings import Address, RedisSettings
from taulu_redis.topology import Discovery, Nodes, Replicas, ask_all

_SLOTS = 16_384
_ASKED_MAX = 16
"""How many nodes are asked for their view at once."""
_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class View:
    """The cluster as one node sees it."""

    epoch: int
    """The highest configuration epoch in it; every failover makes a higher one."""
    slots: dict[int, Address]
    addresses: tuple[Address, ...]
    """All nodes, replicas and failed ones included."""
    replicas: dict[str, Replicas]
    """By the name of their primary."""


class Cluster:
    """Follows the slots through failovers and moves."""

    def __init__(self, settings: RedisSettings, clock: Clock) -> None:
        self._settings = settings
        self._nodes = Nodes(settings, clock)
        self._seeds = list(settings.addresses)
        self._view = View(0, {}, (), {})
        self._discovery = Discovery()

    async def discover(self) -> None:
        """See `Topology.discover`. Of the views that nodes have, the latest counts."""
        async with self._discovery as is_done:
            if is_done:
                return
            asked = list(dict.fromkeys([*self._view.addresses, *self._seeds]))[:_ASKED_MAX]
            found = await ask_all(asked, self._settings, [("CLUSTER", "NODES")])
            views = [read_view(replies[0], address) for address, replies in found.items()]
            if not views:
                raise Unavailable(
                    f"no node of the cluster at {', '.join(self._settings.nodes)} answers; start "
                    "them, or mend `nodes`",
                    retry_after_s=_RETRY_S,
                )
            view = max(views, key=lambda view: (view.epoch, len(view.slots)))
            for primary, replicas in view.replicas.items():
                waited = self._settings.quorum_replicas
                replicas.check(waited, f"the primary {primary} of the cluster")
            self._view = view
            await self._nodes.keep(set(view.slots.values()))

    def node_of(self, key: bytes) -> Node:
        """See `Topology.node_of`."""
        slot = key_slot(key)
        address = self._view.slots.get(slot)
        if address is None:
            raise Unavailable(
                f"no primary of the cluster has hash slot {slot} now; send the request again",
                retry_after_s=_RETRY_S,
            )
        return self._nodes.at(address)

    def node_at(self, address: Address) -> Node:
        """See `Topology.node_at`."""
        return self._nodes.at(address)

    def primaries(self) -> Sequence[Node]:
        """See `Topology.primaries`."""
        return [self._nodes.at(address) for address in sorted(set(self._view.slots.values()))]

    async def close(self) -> None:
        """See `Topology.close`."""
        await self._nodes.close()


def read_view(reply: Reply, asked: Address) -> View:
    """Return what a reply to CLUSTER NODES says."""
    text = reply.decode() if isinstance(reply, bytes) else ""
    slots: dict[int, Address] = {}
    addresses: list[Address] = []
    replicas: dict[str, Replicas] = {}
    epoch = 0
    for line in text.splitlines():
        _, at, flags, primary, _, _, config_epoch, _, *ranges = line.split(" ")
        marks = flags.split(",")
        if "noaddr" in marks or "handshake" in marks:
            continue
        address = _address(at, asked)
        addresses.append(address)
        epoch = max(epoch, int(config_epoch))
        if "master" in marks:
            slots |= dict.fromkeys(_slots(ranges), address)
        else:
            known = replicas.get(primary, Replicas(0, 0))
            is_candidate = "nofailover" not in marks
            replicas[primary] = Replicas(known.count + 1, known.candidates + is_candidate)
    return View(epoch, slots, tuple(addresses), replicas)


def _address(text: str, asked: Address) -> Address:
    """Return the address in `ip:port@busport,hostname`; a node may not know its own ip."""
    host, _, port = text.partition(",")[0].partition("@")[0].rpartition(":")
    return Address(host or asked.host, int(port))


def _slots(ranges: list[str]) -> list[int]:
    """Return the slots in `0-5460 7000`; those on the move, in brackets, are with their owner."""
    found: list[int] = []
    for part in ranges:
        if part and not part.startswith("["):
            first, _, last = part.partition("-")
            found += range(int(first), min(int(last or first), _SLOTS - 1) + 1)
    return found
