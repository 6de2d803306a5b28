"""Counters of one `counter` table."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from taulu.codec import timestamp_from_us
from taulu.model import operation as model
from taulu.model.errors import TauluError
from taulu.model.result import Changed, Counter, CounterRead, Failed
from taulu.model.row import Key
from taulu.model.table import Bounds
from taulu.model.token import IdempotencyToken
from taulu.v1 import counter_pb2, value_pb2
from taulu.wire.facts import consistency_message, facts_from
from taulu.wire.values import key_message
from taulu_client import messages, rpc
from taulu_client.items import Hold, new_token
from taulu_client.retry import Deadline
from taulu_client.sender import REQUEST_OVERHEAD_BYTES, Chunking, Sender
from taulu_client.shape import KeyLike
from taulu_client.table import ConsistencyLike, consistency_of

_MICROSECOND = timedelta(microseconds=1)


class CounterTable:
    """One table of bounded counters; made by `Client.counter`."""

    def __init__(self, name: str, sender: Sender) -> None:
        self.name = name
        self._sender = sender

    async def increment(
        self,
        key: KeyLike,
        delta: int,
        *,
        floor: int | None = None,
        ceiling: int | None = None,
        token: IdempotencyToken | None = None,
    ) -> Counter:
        """Add to a counter, and return it just after.

        Raises:
            BoundExceeded: Value and holds would pass the table's or this call's bounds.
        """
        change = model.Increment(
            await self._key(key), delta, token or new_token(), Bounds(floor, ceiling)
        )
        return (await self._change(change)).counter

    async def reserve(
        self,
        key: KeyLike,
        amount: int,
        *,
        ttl: timedelta,
        hold_id: str | None = None,
        floor: int | None = None,
        ceiling: int | None = None,
        token: IdempotencyToken | None = None,
    ) -> Hold:
        """Set an amount aside until it is committed, released or `ttl` has passed.

        Raises:
            BoundExceeded: Value and holds would pass the table's or this call's bounds.
            HoldExists: The counter has an active hold of this id.
        """
        change = model.Reserve(
            await self._key(key),
            amount,
            hold_id or uuid.uuid4().hex,
            ttl // _MICROSECOND,
            token or new_token(),
            Bounds(floor, ceiling),
        )
        changed = await self._change(change)
        expire_time = timestamp_from_us(changed.hold_expire_us or 0)
        return Hold(change.hold_id, amount, expire_time, changed.counter)

    async def commit(
        self,
        key: KeyLike,
        hold_id: str,
        *,
        amount: int | None = None,
        token: IdempotencyToken | None = None,
    ) -> Counter:
        """Add a hold, or a part of it, to the counter and end the hold.

        Raises:
            HoldNotFound: It expired, was settled, or never was.
        """
        change = model.Commit(await self._key(key), hold_id, token or new_token(), amount)
        return (await self._change(change)).counter

    async def release(
        self, key: KeyLike, hold_id: str, *, token: IdempotencyToken | None = None
    ) -> Counter:
        """End a hold without effect on the value.

        Raises:
            HoldNotFound: It expired, was settled, or never was.
        """
        change = model.Release(await self._key(key), hold_id, token or new_token())
        return (await self._change(change)).counter

    async def get(self, key: KeyLike, *, consistency: ConsistencyLike = None) -> Counter:
        """Read a counter; one that was never written is 0."""
        (outcome,) = await self.batch_get([key], consistency=consistency)
        if isinstance(outcome, TauluError):
            raise outcome
        return outcome

    async def batch_get(
        self, keys: Sequence[KeyLike], *, consistency: ConsistencyLike = None
    ) -> list[Counter | TauluError]:
        """Read any number of counters; one outcome per key, in order."""
        shape = await self._sender.shape(self.name)
        wanted = self._sender.consistency(consistency_of(consistency))

        async def attempt(sent: Sequence[value_pb2.Key], left_s: float) -> Sequence[CounterRead]:
            request = counter_pb2.GetCountersRequest(
                table=self.name, keys=sent, consistency=consistency_message(wanted)
            )
            reply = await self._sender.rpc.call(rpc.GET_COUNTERS, request, left_s)
            self._sender.session.see(facts_from(reply.facts, messages.now_us()))
            return messages.counter_reads(reply.outcomes)

        asked = [key_message(shape.key(key)) for key in keys]
        limits = shape.info.limits
        chunking = Chunking(limits["batch_keys"], limits["request_bytes"] - REQUEST_OVERHEAD_BYTES)
        sizes = [message.ByteSize() for message in asked]
        outcomes = await self._sender.send_all(asked, sizes, chunking, attempt)
        return [o.error if isinstance(o, Failed) else o for o in outcomes]

    async def _key(self, key: KeyLike) -> Key:
        return (await self._sender.shape(self.name)).key(key)

    async def _change(self, change: model.CounterChange) -> Changed:
        changed = await self._sender.retrier.call(
            lambda left_s: self._sender.remote.change(self.name, change, left_s),
            Deadline.after(self._sender.timeout_s),
        )
        self._sender.session.version = max(self._sender.session.version, changed.counter.version)
        return changed
