"""`taulu.v1.LogService`: append-only records in numbered partitions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from taulu.gateway import Gateway
from taulu.model.clock import Clock
from taulu.model.errors import Overloaded
from taulu.model.operation import (
    AppendRecords,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    LogStart,
    NewRecord,
    ReadLog,
)
from taulu.model.result import Appended, Failed, LogPage, LogRecord
from taulu.policy.sift import merge, sift
from taulu.server.counts import check_records
from taulu.server.method import Call, Method
from taulu.server.turns import in_turns
from taulu.v1 import log_pb2 as pb
from taulu.wire.errors import error_message
from taulu.wire.facts import facts_message, token_from
from taulu.wire.values import (
    columns_from,
    columns_message,
    key_values_from,
    timestamp_message,
    timestamp_us,
    value_message,
)

SERVICE = "taulu.v1.LogService"
FOLLOW_WAIT_S = 1.0
"""How long one look at the log waits for new records; then the stream looks again."""
FOLLOWERS_MAX = 256
"""How many streams of one worker may follow logs at once."""
_NO_LIMIT = 2**31 - 1


@dataclass(slots=True)
class LogService:
    """Turns requests into operations, and results into replies."""

    gateway: Gateway
    clock: Clock
    followers: int = 0

    def methods(self) -> list[Method[Any]]:
        """Return the service's methods."""
        return [
            Method(f"/{SERVICE}/Append", pb.AppendRequest, unary=self.append),
            Method(f"/{SERVICE}/Read", pb.ReadRequest, stream=self.read),
        ]

    async def append(self, request: pb.AppendRequest, call: Call) -> pb.AppendResponse:
        """Append records."""
        check_records(self.gateway, request.table, request.records)
        records, failed = sift(request.records, _record_from)
        result = await self.gateway(AppendRecords(request.table, records), call.context)
        return pb.AppendResponse(
            outcomes=[_append_outcome(outcome) for outcome in merge(result.outcomes, failed)],
            facts=facts_message(result.facts, self.clock),
        )

    async def read(self, request: pb.ReadRequest, call: Call) -> AsyncIterator[pb.ReadResponse]:
        """Stream records, to the end as it was at the start, or on and on when following."""
        if not request.follow:
            async for response in self._read_to_end(request, call):
                yield response
            return
        if self.followers >= FOLLOWERS_MAX:
            raise Overloaded(
                f"this worker already serves {FOLLOWERS_MAX} streams that follow logs, its "
                "limit; read without follow, or send again later",
                details={"limit": "followers", "value": str(FOLLOWERS_MAX)},
                retry_after_s=FOLLOW_WAIT_S,
            )
        self.followers += 1
        try:
            async for response in self._follow(request, call):
                yield response
        finally:
            self.followers -= 1

    async def _read_to_end(
        self, request: pb.ReadRequest, call: Call
    ) -> AsyncIterator[pb.ReadResponse]:
        left = max(request.record_count_max, 0) or None
        start, end = _start(request), None
        while True:
            page = await self._page(request, start, left, call)
            end = page.end_offset if end is None else end
            page = _cut(page, end)
            yield await self._response(page)
            left = None if left is None else left - len(page.records)
            if page.next_offset >= end or left == 0:
                return
            start = FromOffset(page.next_offset)
            call.check_draining()

    async def _follow(self, request: pb.ReadRequest, call: Call) -> AsyncIterator[pb.ReadResponse]:
        left = max(request.record_count_max, 0) or None
        # One look without waiting fixes where the stream begins, so that a record appended
        # between two looks is not passed over by `latest`. It is told even when it found no
        # record: a reader whose stream breaks then goes on there, and not at a later end.
        page = await self._page(request, _start(request), left, call)
        is_first = True
        while True:
            if page.records or is_first:
                is_first = False
                yield await self._response(page)
                left = None if left is None else left - len(page.records)
            if left == 0:
                return
            call.check_draining()
            start = FromOffset(page.next_offset)
            page = await self._page(request, start, left, call, wait_s=FOLLOW_WAIT_S)

    async def _page(
        self,
        request: pb.ReadRequest,
        start: LogStart,
        left: int | None,
        call: Call,
        wait_s: float = 0.0,
    ) -> LogPage:
        operation = ReadLog(
            request.table,
            request.partition,
            start,
            records_max=min(left or _NO_LIMIT, _NO_LIMIT),
            bytes_max=request.page_bytes if request.page_bytes > 0 else _NO_LIMIT,
            wait_s=wait_s,
        )
        context = call.page_context(self.clock.monotonic(), wait_s)
        return await self.gateway(operation, context)

    async def _response(self, page: LogPage) -> pb.ReadResponse:
        return pb.ReadResponse(
            records=await in_turns(page.records, _record_message, self.clock),
            next_offset=page.next_offset,
            end_offset=page.end_offset,
            facts=facts_message(page.facts, self.clock),
        )


def _cut(page: LogPage, end: int) -> LogPage:
    """Leave out records that were appended after the read began."""
    if page.next_offset <= end:
        return page
    records = tuple(record for record in page.records if record.offset < end)
    return replace(page, records=records, next_offset=end)


def _start(request: pb.ReadRequest) -> LogStart:
    match request.WhichOneof("start"):
        case "offset":
            return FromOffset(request.offset)
        case "time":
            return FromTime(timestamp_us(request.time))
        case "latest":
            return FromLatest()
        case _:
            return FromEarliest()


def _record_from(message: pb.NewRecord) -> NewRecord:
    return NewRecord(
        key_values_from(message.key), columns_from(message.columns), token_from(message.token)
    )


def _append_outcome(outcome: Appended | Failed) -> pb.AppendOutcome:
    if isinstance(outcome, Failed):
        return pb.AppendOutcome(failed=error_message(outcome.error))
    appended = pb.Appended(
        partition=outcome.partition,
        offset=outcome.offset,
        append_time=timestamp_message(outcome.time_us),
    )
    return pb.AppendOutcome(appended=appended)


def _record_message(record: LogRecord) -> pb.LogRecord:
    return pb.LogRecord(
        partition=record.partition,
        offset=record.offset,
        append_time=timestamp_message(record.time_us),
        key=[value_message(value) for value in record.key],
        columns=columns_message(record.columns),
    )
