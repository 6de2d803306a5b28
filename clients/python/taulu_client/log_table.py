"""Records of one `log` table."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from taulu.codec import timestamp_from_us, timestamp_to_us
from taulu.model import operation as model
from taulu.model import result
from taulu.model.errors import InvalidArgument, TauluError, TransientError
from taulu.model.operation import FromEarliest, FromLatest, FromOffset, FromTime, LogStart
from taulu.model.token import IdempotencyToken
from taulu.model.value import Value
from taulu.v1 import log_pb2
from taulu_client import messages, rpc
from taulu_client.items import Appended, LogRecord, Record, new_token
from taulu_client.retry import Reopening
from taulu_client.sender import REQUEST_OVERHEAD_BYTES, Chunking, Sender
from taulu_client.shape import KeyLike, Shape


class LogTable:
    """One table of append-only records; made by `Client.log`."""

    def __init__(self, name: str, sender: Sender) -> None:
        self.name = name
        self._sender = sender

    async def append(
        self, key: KeyLike, columns: Mapping[str, Value], *, token: IdempotencyToken | None = None
    ) -> Appended:
        """Append a record; records of equal keys stand in one partition, in order."""
        (outcome,) = await self.batch_append([Record(key, columns, token)])
        if isinstance(outcome, TauluError):
            raise outcome
        return outcome

    async def batch_append(self, records: Sequence[Record]) -> list[Appended | TauluError]:
        """Append any number of records; one outcome per record, in order."""
        shape = await self._sender.shape(self.name)

        async def attempt(
            sent: Sequence[log_pb2.NewRecord], left_s: float
        ) -> Sequence[result.AppendOutcome]:
            request = log_pb2.AppendRequest(table=self.name, records=sent)
            reply = await self._sender.rpc.call(rpc.APPEND, request, left_s)
            return messages.append_outcomes(reply.outcomes)

        asked = [
            messages.record_message(
                model.NewRecord(
                    shape.partition_values(record.key),
                    shape.columns(record.columns),
                    record.token or new_token(),
                )
            )
            for record in records
        ]
        limits = shape.info.limits
        chunking = Chunking(limits["batch_units"], limits["request_bytes"] - REQUEST_OVERHEAD_BYTES)
        sizes = [message.ByteSize() for message in asked]
        outcomes = await self._sender.send_all(asked, sizes, chunking, attempt)
        return [_outcome(outcome) for outcome in outcomes]

    async def read(
        self,
        partition: int,
        *,
        offset: int | None = None,
        time: datetime | None = None,
        latest: bool = False,
        follow: bool = False,
        limit: int | None = None,
    ) -> AsyncGenerator[LogRecord]:
        """Yield records of a partition in order, from its beginning when no start is given.

        Args:
            partition: From 0.
            offset: The first offset to yield.
            time: Begin with the first record appended at or after this time.
            latest: Begin at the end.
            follow: Whether to wait for new records instead of ending at the end.
            limit: How many records to yield at most.

        Raises:
            OffsetOutOfRange: The offset has been purged or does not exist yet.
        """
        shape = await self._sender.shape(self.name)
        start = _start(offset, time, latest=latest)
        if limit is not None and limit <= 0:
            return
        left = limit or 0
        reopening = Reopening(self._sender.retrier, self._sender.timeout_s)
        while True:
            operation = model.ReadLog(self.name, partition, start, left, 0)
            request = messages.read_request(operation, follow=follow)
            stream = self._sender.rpc.stream(rpc.READ, request, None)
            try:
                async with aclosing(stream) as pages:
                    async for message in pages:
                        page = messages.log_page_from(message)
                        for record in page.records:
                            yield _record(shape, record)
                        start = FromOffset(page.next_offset)
                        left -= min(left, len(page.records))
                        reopening.progressed()
                        if limit and not left:
                            return
            except TransientError as error:
                if not await reopening.wait(error):
                    raise
                continue
            return

    async def partition_count(self) -> int:
        """Return how many partitions the table has."""
        return (await self._sender.shape(self.name)).info.partition_count


def _start(offset: int | None, time: datetime | None, *, latest: bool) -> LogStart:
    given = [offset is not None, time is not None, latest]
    if sum(given) > 1:
        raise InvalidArgument("give one of offset, time and latest")
    if offset is not None:
        return FromOffset(offset)
    if time is not None:
        if time.tzinfo is None:
            raise InvalidArgument("a time without a zone was given; give an aware one, in UTC")
        return FromTime(timestamp_to_us(time))
    return FromLatest() if latest else FromEarliest()


def _outcome(outcome: result.AppendOutcome) -> Appended | TauluError:
    if isinstance(outcome, result.Failed):
        return outcome.error
    return Appended(outcome.partition, outcome.offset, timestamp_from_us(outcome.time_us))


def _record(shape: Shape, record: result.LogRecord) -> LogRecord:
    key = dict(zip(shape.partition, record.key, strict=True))
    return LogRecord(
        record.partition,
        record.offset,
        timestamp_from_us(record.time_us),
        key,
        record.columns,
    )
