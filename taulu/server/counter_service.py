"""`taulu.v1.CounterService`: bounded counters with holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from taulu.gateway import Gateway
from taulu.model.clock import Clock
from taulu.model.operation import (
    ChangeCounters,
    Commit,
    CounterChange,
    GetCounters,
    Increment,
    Release,
    Reserve,
)
from taulu.model.result import Changed, Counter, Failed
from taulu.model.row import Key
from taulu.model.table import Bounds
from taulu.policy.sift import merge, sift
from taulu.server.counts import check_keys
from taulu.server.method import Call, Method
from taulu.v1 import consistency_pb2
from taulu.v1 import counter_pb2 as pb
from taulu.wire.errors import error_message
from taulu.wire.facts import consistency_from, facts_message, token_from
from taulu.wire.values import (
    duration_us,
    key_from,
    key_message,
    required,
    timestamp_message,
)

SERVICE = "taulu.v1.CounterService"

_ChangeRequest = pb.IncrementRequest | pb.ReserveRequest | pb.CommitRequest | pb.ReleaseRequest


@dataclass(frozen=True, slots=True)
class CounterService:
    """Turns requests into operations, and results into replies."""

    gateway: Gateway
    clock: Clock

    def methods(self) -> list[Method[Any]]:
        """Return the service's methods."""
        return [
            Method(f"/{SERVICE}/Increment", pb.IncrementRequest, unary=self.increment),
            Method(f"/{SERVICE}/Reserve", pb.ReserveRequest, unary=self.reserve),
            Method(f"/{SERVICE}/Commit", pb.CommitRequest, unary=self.commit),
            Method(f"/{SERVICE}/Release", pb.ReleaseRequest, unary=self.release),
            Method(f"/{SERVICE}/GetCounters", pb.GetCountersRequest, unary=self.get_counters),
        ]

    async def increment(self, request: pb.IncrementRequest, call: Call) -> pb.IncrementResponse:
        """Add to a counter."""
        change = Increment(
            _key(request), request.delta, token_from(request.token), _bounds(request.bounds)
        )
        changed, facts = await self._change(request, change, call)
        return pb.IncrementResponse(counter=_counter_message(changed.counter), facts=facts)

    async def reserve(self, request: pb.ReserveRequest, call: Call) -> pb.ReserveResponse:
        """Set an amount aside."""
        change = Reserve(
            _key(request),
            request.amount,
            request.hold_id,
            duration_us(request.ttl),
            token_from(request.token),
            _bounds(request.bounds),
        )
        changed, facts = await self._change(request, change, call)
        expire_us = changed.hold_expire_us
        return pb.ReserveResponse(
            counter=_counter_message(changed.counter),
            hold_id=request.hold_id,
            expire_time=None if expire_us is None else timestamp_message(expire_us),
            facts=facts,
        )

    async def commit(self, request: pb.CommitRequest, call: Call) -> pb.CommitResponse:
        """Settle a hold with effect."""
        amount = request.amount if request.HasField("amount") else None
        change = Commit(_key(request), request.hold_id, token_from(request.token), amount)
        changed, facts = await self._change(request, change, call)
        return pb.CommitResponse(counter=_counter_message(changed.counter), facts=facts)

    async def release(self, request: pb.ReleaseRequest, call: Call) -> pb.ReleaseResponse:
        """Settle a hold without effect."""
        change = Release(_key(request), request.hold_id, token_from(request.token))
        changed, facts = await self._change(request, change, call)
        return pb.ReleaseResponse(counter=_counter_message(changed.counter), facts=facts)

    async def get_counters(
        self, request: pb.GetCountersRequest, call: Call
    ) -> pb.GetCountersResponse:
        """Read counters."""
        check_keys(self.gateway, request.table, request.keys)
        keys, failed = sift(request.keys, key_from)
        operation = GetCounters(request.table, keys, consistency_from(request.consistency))
        result = await self.gateway(operation, call.context)
        return pb.GetCountersResponse(
            outcomes=[_read_outcome(outcome) for outcome in merge(result.outcomes, failed)],
            facts=facts_message(result.facts, self.clock),
        )

    async def _change(
        self, request: _ChangeRequest, change: CounterChange, call: Call
    ) -> tuple[Changed, consistency_pb2.ReplyFacts]:
        """Carry out one change: a batch of one."""
        result = await self.gateway(ChangeCounters(request.table, (change,)), call.context)
        outcome = result.outcomes[0]
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome, facts_message(result.facts, self.clock)


def _key(request: _ChangeRequest) -> Key:
    required(request, "key")
    return key_from(request.key)


def _bounds(message: pb.Bounds) -> Bounds:
    return Bounds(
        message.floor if message.HasField("floor") else None,
        message.ceiling if message.HasField("ceiling") else None,
    )


def _counter_message(counter: Counter) -> pb.Counter:
    return pb.Counter(
        key=key_message(counter.key),
        value=counter.value,
        held_increase=counter.held_increase,
        held_decrease=counter.held_decrease,
        version=counter.version,
    )


def _read_outcome(outcome: Counter | Failed) -> pb.CounterOutcome:
    if isinstance(outcome, Failed):
        return pb.CounterOutcome(failed=error_message(outcome.error))
    return pb.CounterOutcome(found=_counter_message(outcome))
