"""Sending batches: one pipeline per node, sent again where that is safe, confirmed where asked.

Every command here may be sent twice: reads change nothing, and a write's token makes the second
time no effect. So a broken connection or a moved slot is tried again within the deadline.

A pipeline that must be confirmed ends with a write and WAIT for all replicas that may take over.
They answer only the primary that they follow, so their answer proves that the server was still
primary when it carried the batch out, and that all of it, and all that it had seen, is with them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from taulu.model import Clock, TauluError, Unavailable
from taulu_redis import mapping
from taulu_redis._driver import Argument, Reply, ReplyError
from taulu_redis.node import Broken, Node
from taulu_redis.scripts import Script
from taulu_redis.settings import Address, RedisSettings
from taulu_redis.topology import Topology

_ATTEMPTS_MAX = 4
_REST_S = 0.03
_MARK_MS = 60_000
_SHARE_OF_TIME = 0.8
"""How much of the time that is left the replicas may take, so that the answer still arrives."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, or one run of a script."""

    key: bytes
    """Any key that it touches; all of them are in one hash slot."""
    words: tuple[Argument, ...]
    script: Script | None = None

    @classmethod
    def run(cls, script: Script, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Command:
        """Return the command that runs a script."""
        return cls(keys[0], script.call(keys, arguments), script)


@dataclass(slots=True)
class Wish:
    """How batches are to be carried out. Times are of `Clock.monotonic`."""

    deadline: float
    is_write: bool
    confirmed_since: float | None = None
    """The servers must be known to have been primary at this time or later; infinity asks that
    the batch itself be confirmed, None asks nothing."""
    confirmed_at: float = math.inf
    """When all servers that answered were known to be primary; filled in by the run."""
    is_once: bool = False
    """Whether a command that may have been carried out must not be sent again."""
    advice: str = mapping.REPEAT
    """What to do when no server can be reached; it is for whoever waits for the batch."""
    is_hurried: bool = False
    """Whether the time is too short to find the primaries first: the known ones are asked, and
    a search may take half of what is left when they fail."""


@dataclass(slots=True)
class _Item:
    """What has become of one command so far."""

    command: Command
    answer: Reply | TauluError = None
    is_done: bool = False
    may_be_done: bool = False
    """Whether it was sent over a connection that then broke."""
    trouble: str = ""
    refusal: TauluError | None = None
    asking_at: Address | None = None
    with_text: bool = False

    def all_words(self) -> list[tuple[Argument, ...]]:
        """Return the commands to send, the last of which has the reply that counts."""
        command = self.command
        words = command.words
        if self.with_text and command.script is not None:
            words = command.script.with_text(words)
        return [words] if self.asking_at is None else [("ASKING",), words]


@dataclass(slots=True)
class Calls:
    """Carries out batches of commands on whatever nodes have their keys."""

    topology: Topology
    settings: RedisSettings
    clock: Clock
    _doubt: bool = field(default=False, init=False)
    """Whether the last answers suggest that another server is primary now."""

    async def run(self, commands: Sequence[Command], wish: Wish) -> list[Reply | TauluError]:
        """Carry commands out; return a reply or an error for each, in order."""
        items = [_Item(command) for command in commands]
        for attempt in range(_ATTEMPTS_MAX):
            pending = [
                item
                for item in items
                if not item.is_done and not (wish.is_once and item.may_be_done)
            ]
            if not pending:
                break
            if attempt or (self._doubt and not wish.is_hurried):
                await self._discover(attempt, wish)
            await self._attempt(pending, wish)
        return [_outcome(item, wish) for item in items]

    async def one(self, command: Command, wish: Wish) -> Reply:
        """Carry one command out.

        Raises:
            TauluError: It could not be done.
        """
        (answer,) = await self.run([command], wish)
        if isinstance(answer, TauluError):
            raise answer
        return answer

    async def _discover(self, attempt: int, wish: Wish) -> None:
        """Rest a little longer every time, then look for the primaries anew."""
        left_s = wish.deadline - self.clock.monotonic()
        if attempt and left_s > _REST_S:
            await asyncio.sleep(min(left_s, _REST_S * 2**attempt))
        left_s = wish.deadline - self.clock.monotonic()
        try:
            async with asyncio.timeout(left_s / 2 if wish.is_hurried else left_s):
                await self.topology.discover()
        except (TauluError, TimeoutError):
            # What is known may still do; if not, the attempt says what is wrong.
            return
        self._doubt = False

    async def _attempt(self, items: list[_Item], wish: Wish) -> None:
        groups: dict[Node, list[_Item]] = {}
        for item in items:
            try:
                groups.setdefault(self._node_of(item), []).append(item)
            except TauluError as error:
                item.refusal = error
        async with asyncio.TaskGroup() as tasks:
            for node, group in groups.items():
                tasks.create_task(self._send(node, group, wish))

    def _node_of(self, item: _Item) -> Node:
        if item.asking_at is not None:
            return self.topology.node_at(item.asking_at)
        return self.topology.node_of(item.command.key)

    async def _send(self, node: Node, items: list[_Item], wish: Wish) -> None:
        """Send a pipeline to one node and take its replies in."""
        words = [words for item in items for words in item.all_words()]
        mark = self._mark(node, items[0], wish)
        began = self.clock.monotonic()
        try:
            replies = await node.exchange([*words, *mark], wish.deadline)
        except Broken as broken:
            self._doubt = True
            for item in items:
                item.trouble = str(broken)
                item.may_be_done |= broken.was_sent
            return
        except TauluError as error:
            for item in items:
                self._refuse(item, error)
            return
        own = iter(replies)
        for item in items:
            *_, reply = [next(own) for _ in item.all_words()]
            self._take(item, reply, node)
        if mark and not is_confirmed(replies[-2:], self.settings.quorum_replicas or 0):
            self._doubt = True
            _withhold(items, wish)
            return
        if mark or not self.settings.quorum_replicas:
            node.confirmed_at = max(node.confirmed_at, began)
        wish.confirmed_at = min(wish.confirmed_at, node.confirmed_at)

    def _mark(self, node: Node, first: _Item, wish: Wish) -> list[tuple[Argument, ...]]:
        """Return the commands that let the replicas confirm, if they must.

        The write is needed: WAIT looks at what this connection has written, and a token that was
        remembered, like a read, has written nothing.
        """
        since, replicas = wish.confirmed_since, self.settings.quorum_replicas
        if since is None or not replicas or node.confirmed_at >= since:
            return []
        left_s = (wish.deadline - self.clock.monotonic()) * _SHARE_OF_TIME
        wait_ms = max(1, int(min(left_s, self.settings.replication_timeout_s) * 1_000))
        asking: list[tuple[Argument, ...]] = [] if first.asking_at is None else [("ASKING",)]
        return [*asking, *confirmation(first.command.key, replicas, wait_ms)]

    def _refuse(self, item: _Item, error: TauluError) -> None:
        """Note why a node was not used; only what may be over soon is tried again."""
        if isinstance(error, Unavailable):
            self._doubt = True
            item.refusal = error
        else:
            item.answer, item.is_done = error, True

    def _take(self, item: _Item, reply: Reply, node: Node) -> None:
        item.asking_at = None
        if not isinstance(reply, ReplyError):
            item.answer, item.is_done = reply, True
            return
        item.refusal = mapping.to_taulu(reply, str(node.address))
        if reply.code not in mapping.SEND_AGAIN:
            item.answer, item.is_done = item.refusal, True
        elif reply.code == "NOSCRIPT":
            item.with_text = True
        else:
            self._doubt = True
            if reply.code == "ASK":
                item.asking_at = _target(reply, node)


def confirmation(key: bytes, replicas: int, wait_ms: int) -> list[tuple[Argument, ...]]:
    """Return a write in the hash slot of a key whose tag is in braces, and a wait for replicas."""
    tag = key.partition(b"}")[0] + b"}"
    return [("SET", tag + b":confirmed", "", "PX", _MARK_MS), ("WAIT", replicas, wait_ms)]


def is_confirmed(replies: Sequence[Reply], wanted: int) -> bool:
    """Return whether that write was carried out where it was sent, and is with all replicas."""
    written, replicas = replies
    return written == b"OK" and isinstance(replicas, int) and replicas >= wanted


def _target(refusal: ReplyError, node: Node) -> Address:
    """Return the address in `ASK 3999 127.0.0.1:6381`; the host may be left out."""
    host, _, port = refusal.text.split(" ")[2].rpartition(":")
    return Address(host or node.address.host, int(port))


def _withhold(items: list[_Item], wish: Wish) -> None:
    """Keep back answers that may come from a deposed primary, or may be undone."""
    for item in items:
        if not item.is_done or isinstance(item.answer, TauluError):
            continue
        is_effect = wish.is_write and is_done_reply(item.answer)
        trouble = "not all replicas confirmed it in time"
        item.answer = mapping.unknown(trouble) if is_effect else mapping.unconfirmed()


def is_done_reply(reply: Reply | TauluError) -> bool:
    """Return whether a script of ours says that its effect stands."""
    return isinstance(reply, list) and bool(reply) and reply[0] == b"done"


def _outcome(item: _Item, wish: Wish) -> Reply | TauluError:
    """Return the answer, or why there is none.

    A write that may already be under way on a connection that broke can overtake the one that was
    sent again: only its effect settles that, no refusal does.
    """
    if wish.is_write and item.may_be_done and not is_done_reply(item.answer):
        return mapping.unknown(item.trouble)
    if item.is_done:
        return item.answer
    return item.refusal or mapping.unreachable(item.trouble, wish.advice)
