"""One primary, named by sentinels, and its replicas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from taulu.model import Clock, Unavailable
from taulu_redis._driver import Reply
from taulu_redis.node import Node
from taulu_redis.settings import Address, RedisSettings
from taulu_redis.topology import Discovery, Nodes, Replicas, ask_all

_RETRY_S = 0.5


class Sentinels:
    """Follows the primary that most sentinels name."""

    def __init__(self, settings: RedisSettings, clock: Clock) -> None:
        self._settings = settings
        self._nodes = Nodes(settings, clock)
        self._primary: Address | None = None
        self._discovery = Discovery()

    async def discover(self) -> None:
        """See `Topology.discover`."""
        async with self._discovery as is_done:
            if is_done:
                return
            service = cast(str, self._settings.service)
            found = await ask_all(
                self._settings.addresses,
                self._settings,
                [
                    ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service),
                    ("SENTINEL", "REPLICAS", service),
                ],
                is_sentinel=True,
            )
            primary = _most_named([replies[0] for replies in found.values()])
            if primary is None:
                raise Unavailable(
                    f"no sentinel of {', '.join(self._settings.nodes)} names a primary of "
                    f"{service!r}; start them, or mend `nodes` and `service`",
                    retry_after_s=_RETRY_S,
                )
            self._check_replicas([replies[1] for replies in found.values()])
            if primary != self._primary:
                self._primary = primary
                await self._nodes.keep({primary})

    def node_of(self, key: bytes) -> Node:
        """See `Topology.node_of`."""
        if self._primary is None:
            raise Unavailable("the primary is not known yet; send the request again")
        return self._nodes.at(self._primary)

    def node_at(self, address: Address) -> Node:
        """See `Topology.node_at`."""
        return self._nodes.at(address)

    def primaries(self) -> Sequence[Node]:
        """See `Topology.primaries`."""
        return [] if self._primary is None else [self._nodes.at(self._primary)]

    async def close(self) -> None:
        """See `Topology.close`."""
        await self._nodes.close()

    def _check_replicas(self, replies: list[Reply]) -> None:
        waited, whose = self._settings.quorum_replicas, repr(self._settings.service)
        for reply in replies:
            replicas_of(reply).check(waited, whose)


def _most_named(replies: list[Reply]) -> Address | None:
    """Return the address that most sentinels give; one that was cut off may give an old one."""
    named: Counter[Address] = Counter()
    for reply in replies:
        if isinstance(reply, list):
            host, port = cast("list[bytes]", reply)
            named[Address(host.decode(), int(port))] += 1
    return named.most_common(1)[0][0] if named else None


def replicas_of(reply: Reply) -> Replicas:
    """Return what a reply to SENTINEL REPLICAS says of the primary's replicas."""
    if not isinstance(reply, list):
        return Replicas(0, 0)
    known = [
        dict(zip(replica[::2], replica[1::2], strict=True))
        for replica in cast("list[list[bytes]]", reply)
    ]
    return Replicas(len(known), sum(facts.get(b"slave-priority") != b"0" for facts in known))
