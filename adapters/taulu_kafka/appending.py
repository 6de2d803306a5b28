"""Appending: each token once, whoever else appends it at the same time.

A record is sent only when its token is not among those that this worker has seen in the
partition, and it says up to where it had looked. When it is acknowledged, the worker reads on
until it has passed it: the first record with the token in between is the effect, be it this
one or another worker's. Nobody coordinates, and every reader comes to the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from taulu.model import (
    Appended,
    AppendOutcome,
    Clock,
    Failed,
    InvalidArgument,
    NewRecord,
    Overloaded,
    StorageFull,
    TauluError,
    TokenReused,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_kafka._driver import Consumer, DriverError, Fetched, Place
from taulu_kafka.ends import Ends
from taulu_kafka.mapping import to_taulu, to_taulu_after_send
from taulu_kafka.partitions import Partitions
from taulu_kafka.readers import Budget, Readers, Work
from taulu_kafka.records import Draft, RecordCodec
from taulu_kafka.sender import Sender
from taulu_kafka.stamp import Stamp, write_stamp
from taulu_kafka.tail import Effect, Outcome, Pending, Seen, Tail
from taulu_kafka.walk import Step, Walk

_RUN_GAP_MAX = 256
"""Records that lie closer together than this are looked up in one go."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The token was seen before, at this offset."""

    offset: int


_State = Pending | _Known | TauluError


@dataclass(slots=True)
class Appender:
    """Appends records of all tables of one worker."""

    sender: Sender
    partitions: Partitions
    readers: Readers
    clock: Clock
    ends: Ends
    queue_max: int
    _under_way: int = 0

    async def append(
        self, codec: RecordCodec, records: Sequence[NewRecord], deadline: float
    ) -> tuple[AppendOutcome, ...]:
        """Append records; each has an outcome of its own, in order, by the deadline."""
        drafts = [_draft(codec, record) for record in records]
        places = {draft.place for draft in drafts if isinstance(draft, Draft)}
        tails: dict[Place, Tail | TauluError] = await self._tails(places, deadline)
        if self.clock.monotonic() >= deadline:
            # Nothing was sent, and nothing should be that no one waits for.
            tails = dict.fromkeys(tails, _too_late(codec))
        states = [self._begin(codec, draft, tails) for draft in drafts]
        outcomes = await self._settled(drafts, states, deadline)
        return tuple(
            _outcome(codec, draft, outcome) for draft, outcome in zip(drafts, outcomes, strict=True)
        )

    async def _tails(self, places: set[Place], deadline: float) -> dict[Place, Tail | TauluError]:
        async def tail(place: Place) -> Tail | TauluError:
            try:
                return await self.partitions.tail(place, deadline)
            except TauluError as error:
                return error

        found = await asyncio.gather(*(tail(place) for place in places))
        return dict(zip(places, found, strict=True))

    def _begin(
        self, codec: RecordCodec, draft: Draft | TauluError, tails: dict[Place, Tail | TauluError]
    ) -> _State:
        """Look a token up, and send its record when it was never seen."""
        if isinstance(draft, TauluError):
            return draft
        tail = tails[draft.place]
        if isinstance(tail, TauluError):
            return tail
        if tail.end is not None:
            return tail.end
        pending = tail.pending.get(draft.digest)
        if pending is not None:
            return pending
        offset = tail.find(draft.digest)
        if offset is not None:
            return _Known(offset)
        if tail.is_full:
            self.partitions.drop_full(tail)
            return _full(tail)
        if self._under_way >= self.queue_max:
            return _overloaded(self.queue_max)
        return self._send(codec, draft, tail)

    def _send(self, codec: RecordCodec, draft: Draft, tail: Tail) -> _State:
        time_us = max(self.clock.now_us(), tail.time_us)
        stamp = Stamp(draft.token, draft.effect, time_us, tail.position)
        headers = write_stamp(stamp, codec.schema)
        message = Fetched(draft.place, -1, time_us // 1_000, draft.key, draft.value, headers)
        sent = Seen(-1, draft.digest, draft.effect, time_us, tail.position)
        pending = Pending(asyncio.get_running_loop().create_future(), sent)

        def settled(error: DriverError | None, offset: int) -> None:
            self._under_way -= 1
            if error is None:
                self.ends.note(draft.place, offset + 1)
                tail.acknowledge(pending, offset)
            else:
                tail.give_up(pending, to_taulu_after_send(error, f"topic {draft.place.topic}"))

        try:
            self.sender.send(message, settled)
        except DriverError as error:
            return to_taulu(error, f"topic {draft.place.topic}")
        self._under_way += 1
        tail.pending[draft.digest] = pending
        return pending

    async def _settled(
        self, drafts: Sequence[Draft | TauluError], states: Sequence[_State], deadline: float
    ) -> list[Outcome]:
        """Wait for what was sent, and look up what was known."""
        known: dict[Place, set[int]] = {}
        for draft, state in zip(drafts, states, strict=True):
            if isinstance(state, _Known) and isinstance(draft, Draft):
                known.setdefault(draft.place, set()).add(state.offset)
        looked_up = await asyncio.gather(
            *(self._look_up(place, offsets, deadline) for place, offsets in known.items())
        )
        effects = dict(zip(known, looked_up, strict=True))
        waiting = {state.outcome for state in states if isinstance(state, Pending)}
        if waiting:
            left_s = deadline - self.clock.monotonic()
            await asyncio.wait(waiting, timeout=max(0.0, left_s))
        outcomes: list[Outcome] = []
        for draft, state in zip(drafts, states, strict=True):
            match state:
                case Pending(outcome=outcome):
                    outcomes.append(outcome.result() if outcome.done() else _unknown(draft))
                case _Known(offset=offset):
                    assert isinstance(draft, Draft)  # noqa: S101 - only what was drafted is known
                    found = effects[draft.place]
                    if isinstance(found, TauluError):
                        outcomes.append(found)
                    else:
                        outcomes.append(found.get(offset) or _gone(draft))
                case _:
                    outcomes.append(state)
        return outcomes

    async def _look_up(
        self, place: Place, offsets: set[int], deadline: float
    ) -> dict[int, Effect] | TauluError:
        try:
            return await self.readers.run(_effects(place, sorted(offsets)), deadline)
        except TauluError as error:
            # The token was seen, so nothing was sent, whatever became of looking it up.
            return Unavailable(
                f"the first record of a token in partition {place.partition} of topic "
                f"{place.topic} could not be read; send again ({error.message})",
                retry_after_s=0.1,
            )


def _draft(codec: RecordCodec, record: NewRecord) -> Draft | TauluError:
    try:
        return codec.draft(record)
    except (TypeError, ValueError, AttributeError) as error:
        # Values of a type that the table does not declare; the gateway refuses them earlier.
        return InvalidArgument(f"a value is not of its column's type: {error}")


def _effects(place: Place, offsets: Sequence[int]) -> Work[dict[int, Effect]]:
    """Return the work that reads what stands at some offsets, which are in order."""

    def work(consumer: Consumer, budget: Budget) -> dict[int, Effect]:
        found: dict[int, Effect] = {}
        at = 0
        while at < len(offsets):
            walk = Walk(consumer, budget, place, offsets[at])
            with closing(walk.steps()) as steps:
                for step in steps:
                    if isinstance(step, Step) and step.counted is not None:
                        counted = step.counted
                        if counted.stamp is not None:
                            offset = counted.record.offset
                            found[offset] = Effect(offset, counted.stamp.effect, counted.time_us)
                    while at < len(offsets) and offsets[at] < walk.position:
                        at += 1
                    if at == len(offsets) or offsets[at] - walk.position > _RUN_GAP_MAX:
                        break
        return found

    return work


def _outcome(codec: RecordCodec, draft: Draft | TauluError, outcome: Outcome) -> AppendOutcome:
    if isinstance(outcome, TauluError):
        return Failed(outcome)
    if isinstance(draft, TauluError):
        return Failed(draft)
    if outcome.effect != draft.effect:
        table = codec.table.full_name
        return Failed(
            TokenReused(
                f"idempotency token {draft.token!r} has already named another write to {table}; "
                "make a new token for every new effect",
                details={"table": table, "nonce": draft.token},
            )
        )
    return Appended(draft.place.partition, outcome.offset, outcome.time_us)


def _unknown(draft: Draft | TauluError) -> TauluError:
    if isinstance(draft, TauluError):
        return draft
    return WriteOutcomeUnknown(
        f"topic {draft.place.topic} did not confirm the record before the deadline, so it may or "
        "may not be there; send it again with the same token to settle it",
        details={"topic": draft.place.topic, "partition": str(draft.place.partition)},
    )


def _gone(draft: Draft) -> TauluError:
    return Unavailable(
        f"the first record of token {draft.token!r} was deleted from topic {draft.place.topic} "
        "before its token window was over; see `retention_bytes`",
        details={"topic": draft.place.topic, "nonce": draft.token},
    )


def _too_late(codec: RecordCodec) -> TauluError:
    return Unavailable(
        f"the partitions of topic {codec.topic} could not be got ready before the deadline, and "
        "nothing was appended; send again",
        details={"topic": codec.topic},
    )


def _full(tail: Tail) -> TauluError:
    place = tail.place
    return StorageFull(
        f"partition {place.partition} of topic {place.topic} has more than {tail.tokens_max} "
        "tokens within the token window (tokens_max), so no more can be told apart; raise "
        "tokens_max, give the table more partitions, or shorten token_window",
        details={"limit": "tokens_max", "value": str(tail.tokens_max)},
    )


def _overloaded(queue_max: int) -> TauluError:
    return Overloaded(
        f"{queue_max} records are under way (write_queue_max); send again later",
        details={"limit": "write_queue_max", "value": str(queue_max)},
        retry_after_s=0.1,
    )
