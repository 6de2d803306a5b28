"""The end of a log partition: a head that gives out offsets, as the ground of steps.

A step leaves its records in the head, in the same conditional batch that gives them offsets.
From there they are copied to their bucket, by the appender at once, and again by the next step
before it replaces them, so that no offset is ever without its record. Readers look in both.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from taulu.codec import KeyCodec, RowCodec
from taulu.model import LogRecord, NewRecord, TauluError, Unavailable, WriteOutcomeUnknown
from taulu_cassandra import statements
from taulu_cassandra._driver import Bound, CqlValue, Native
from taulu_cassandra.calls import Call
from taulu_cassandra.steps import Head
from taulu_cassandra.stored import StoredTable
from taulu_cassandra.together import together
from taulu_cassandra.tokens import Result, read_kept

BUCKET_RECORDS = 10_000
"""How many records share one Cassandra partition. Part of the stored format."""

_RETRY_S = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """A record as the head keeps it until the next step."""

    offset: int
    time_us: int
    key: bytes
    body: bytes

    def to_cql(self) -> tuple[int, int, bytes, bytes]:
        """Return the record as the head keeps it."""
        return self.offset, self.time_us, self.key, self.body


@dataclass(slots=True)
class LogState:
    """Where a log partition ends, and what its last step appended."""

    now_us: int
    next_offset: int
    last_time_us: int
    pending: tuple[Pending, ...]
    """Of the last step."""
    added: list[Pending]
    """By this step."""


async def read_head(
    stored: StoredTable, partition: int, level: Native, call: Call
) -> tuple[Head, LogState]:
    """Read where a log partition ends."""
    bound = await stored.bind(statements.select_log_head(stored.layout), partition)
    found = await stored.calls.read(bound, level, call)
    now_us = stored.calls.clock.now_us()
    if not found:
        return Head(None, ()), LogState(now_us, 0, 0, (), [])
    next_offset, time_us, seq, last, pending = found[0]
    kept = cast("Sequence[tuple[int, int, bytes, bytes]]", pending or ())
    records = tuple(Pending(o, t, bytes(key), bytes(body)) for o, t, key, body in kept)
    return Head(seq, read_kept(last)), LogState(now_us, next_offset, time_us, records, [])


def to_record(stored: StoredTable, partition: int, pending: Pending) -> LogRecord:
    """Return a record that stands in a head."""
    key = stored.layout.keys.key(pending.key).partition
    columns = stored.layout.rows.decode(pending.body)
    return LogRecord(partition, pending.offset, pending.time_us, key, columns)


@dataclass(frozen=True, slots=True)
class LogGround:
    """One partition of a log."""

    stored: StoredTable
    partition: int
    copied: dict[tuple[str, int], int]
    """By table and partition: the offset up to which this process has copied records."""

    @property
    def place(self) -> tuple[CqlValue, ...]:
        """See `Ground.place`."""
        return (self.partition,)

    async def load(self, effects: Sequence[NewRecord], call: Call) -> tuple[Head, LogState]:
        """See `Ground.load`."""
        return await read_head(self.stored, self.partition, self.stored.layout.levels.serial, call)

    async def settle(self, state: LogState, call: Call) -> None:
        """Copy the records of the last step to their bucket, unless that is known to be done."""
        done = self.copied.get((self.stored.name, self.partition), 0)
        if not state.pending or done == state.next_offset:
            return
        try:
            await self.copy(state.pending, call)
        except WriteOutcomeUnknown as error:
            raise Unavailable(
                f"the last records of partition {self.partition} of {self.stored.name} could "
                "not be made safe, and nothing was written; send again",
                details={"table": self.stored.name},
                retry_after_s=_RETRY_S,
            ) from error

    async def copy(self, records: Sequence[Pending], call: Call) -> None:
        """Write records to their buckets; repeating it changes nothing."""
        by_bucket: dict[int, list[Bound]] = {}
        for record in records:
            bucket = record.offset // BUCKET_RECORDS
            by_bucket.setdefault(bucket, []).append(await self._put(bucket, record))
        level = self.stored.layout.levels.quorum
        await together(self.stored.calls.write(b, level, call) for b in by_bucket.values())
        self.copied[self.stored.name, self.partition] = records[-1].offset + 1

    async def _put(self, bucket: int, record: Pending) -> Bound:
        layout = self.stored.layout
        found = to_record(self.stored, self.partition, record)
        values = (
            *(self.partition, bucket, record.offset, record.time_us),
            *layout.partition_values(found.key),
            *layout.column_values(found.columns),
        )
        ttl_us = layout.table.ttl_us
        expire_us = None if ttl_us is None else record.time_us + ttl_us
        ttl_s = self.stored.native_ttl_s(expire_us)
        return await self.stored.bind(statements.put_record(layout), *values, record.time_us, ttl_s)

    def apply(self, state: LogState, effect: NewRecord, version: int) -> Result:
        """Append a record in memory; times never step back."""
        keys: KeyCodec = self.stored.layout.keys
        rows: RowCodec = self.stored.layout.rows
        time_us = max(state.now_us, state.last_time_us)
        key, body = keys.partition(effect.key), rows.encode(effect.columns)
        record = Pending(state.next_offset, time_us, key, body)
        state.added.append(record)
        state.next_offset += 1
        state.last_time_us = time_us
        return self.partition, record.offset, time_us

    async def batch(self, state: LogState, before: Head, after: Head) -> list[Bound]:
        """See `Ground.batch`."""
        values = (
            *(state.next_offset, state.last_time_us, after.seq),
            [kept.to_cql() for kept in after.last],
            [record.to_cql() for record in state.added],
        )
        text = statements.set_log_head(self.stored.layout)
        return [await self.stored.bind(text, *values, self.partition, before.seq)]

    async def finish(self, state: LogState, call: Call) -> None:
        """Copy the records to their bucket, where other programs look for them too."""
        try:
            await self.copy(state.added, call)
        except TauluError as error:
            _log.info("records of %s are copied by the next step: %s", self.stored.name, error)
