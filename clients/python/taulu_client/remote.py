"""A gateway as a handler: each operation one call, and nothing sent twice."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar, cast

from taulu.model.consistency import Facts, Level
from taulu.model.errors import (
    DeadlineExceeded,
    InvalidArgument,
    TauluError,
    UnknownTable,
    Unsupported,
)
from taulu.model.operation import (
    AppendRecords,
    ChangeCounters,
    CounterChange,
    FromOffset,
    GetCounters,
    GetRows,
    Increment,
    Operation,
    QueryRows,
    ReadLog,
    Release,
    Reserve,
    ScanRows,
    WriteRows,
)
from taulu.model.result import (
    AppendResults,
    Changed,
    CounterOutcome,
    CounterReads,
    CounterResults,
    Failed,
    LogPage,
    RowPage,
    RowReads,
    WriteResults,
)
from taulu.v1 import counter_pb2, data_pb2, log_pb2
from taulu.wire.facts import consistency_message, facts_from, level_message
from taulu.wire.mutations import unit_message
from taulu.wire.values import key_message
from taulu_client import messages, rpc
from taulu_client.rpc import Rpc

ResultT = TypeVar("ResultT")


class RemoteHandler:
    """Carries operations of the model over the wire and back, one attempt each.

    The conformance suite runs through it, so that what it proves of an adapter it also
    proves of the way there.
    """

    def __init__(self, calls: Rpc) -> None:
        self._rpc = calls

    async def execute(self, operation: Operation[ResultT], timeout_s: float) -> ResultT:
        """Carry out an operation through the gateway.

        Raises:
            TauluError: As the gateway's own pipeline raises it, or for the connection.
        """
        return cast(ResultT, await self._dispatch(operation, timeout_s))

    async def _dispatch(self, operation: Operation[object], timeout_s: float) -> object:
        match operation:
            case GetRows():
                return await self._get_rows(operation, timeout_s)
            case QueryRows():
                request = messages.query_request(operation)
                return messages.page_from(await self._rpc.call(rpc.QUERY, request, timeout_s))
            case ScanRows():
                return await self._scan_page(operation, timeout_s)
            case WriteRows():
                return await self._write_rows(operation, timeout_s)
            case ChangeCounters():
                return await self._change_counters(operation, timeout_s)
            case GetCounters():
                return await self._get_counters(operation, timeout_s)
            case AppendRecords():
                return await self._append(operation, timeout_s)
            case ReadLog():
                return await self._read_log(operation, timeout_s)
            case _:
                raise InvalidArgument(f"unknown operation {type(operation).__name__}")

    async def _get_rows(self, operation: GetRows, timeout_s: float) -> RowReads:
        reply = await self._rpc.call(rpc.BATCH_GET, messages.get_request(operation), timeout_s)
        facts = facts_from(reply.facts, messages.now_us())
        return RowReads(messages.row_outcomes(reply.outcomes), facts)

    async def _scan_page(self, operation: ScanRows, timeout_s: float) -> RowPage:
        request = messages.scan_request(operation)
        async with aclosing(self._rpc.stream(rpc.SCAN, request, timeout_s)) as pages:
            async for page in pages:
                return messages.page_from(page)
        raise InvalidArgument("the gateway answered a scan with no page")

    async def _write_rows(self, operation: WriteRows, timeout_s: float) -> WriteResults:
        request = data_pb2.BatchWriteRequest(
            table=operation.table, units=[unit_message(unit) for unit in operation.units]
        )
        if operation.level is not None:
            request.consistency = level_message(operation.level)
        reply = await self._rpc.call(rpc.BATCH_WRITE, request, timeout_s)
        facts = facts_from(reply.facts, messages.now_us())
        return WriteResults(messages.write_outcomes(reply.outcomes), facts)

    async def _change_counters(self, operation: ChangeCounters, timeout_s: float) -> CounterResults:
        outcomes: list[CounterOutcome] = []
        version = 0
        for change in operation.changes:
            try:
                changed = await self.change(operation.table, change, timeout_s)
            except (UnknownTable, Unsupported):
                # These concern the call as a whole, whatever the change was.
                raise
            except TauluError as error:
                outcomes.append(Failed(error))
            else:
                outcomes.append(changed)
                version = max(version, changed.counter.version)
        facts = Facts(Level.LINEARIZABLE, version, messages.now_us())
        return CounterResults(tuple(outcomes), facts)

    async def change(self, table: str, change: CounterChange, timeout_s: float) -> Changed:
        """Change one counter."""
        request: Any = messages.change_request(table, change)
        method: Any
        match change:
            case Increment():
                method = rpc.INCREMENT
            case Reserve():
                method = rpc.RESERVE
            case Release():
                method = rpc.RELEASE
            case _:
                method = rpc.COMMIT
        return messages.changed_from(await self._rpc.call(method, request, timeout_s))

    async def _get_counters(self, operation: GetCounters, timeout_s: float) -> CounterReads:
        request = counter_pb2.GetCountersRequest(
            table=operation.table,
            keys=[key_message(key) for key in operation.keys],
            consistency=consistency_message(operation.consistency),
        )
        reply = await self._rpc.call(rpc.GET_COUNTERS, request, timeout_s)
        facts = facts_from(reply.facts, messages.now_us())
        return CounterReads(messages.counter_reads(reply.outcomes), facts)

    async def _append(self, operation: AppendRecords, timeout_s: float) -> AppendResults:
        records = [messages.record_message(record) for record in operation.records]
        request = log_pb2.AppendRequest(table=operation.table, records=records)
        reply = await self._rpc.call(rpc.APPEND, request, timeout_s)
        facts = facts_from(reply.facts, messages.now_us())
        return AppendResults(messages.append_outcomes(reply.outcomes), facts)

    async def _read_log(self, operation: ReadLog, timeout_s: float) -> LogPage:
        first = await self._first_page(operation, timeout_s, follow=False)
        if first.records or operation.wait_s <= 0:
            return first
        waiting = replace(operation, start=FromOffset(first.next_offset))
        try:
            return await self._first_page(waiting, operation.wait_s, follow=True)
        except DeadlineExceeded:
            return first

    async def _first_page(self, operation: ReadLog, timeout_s: float, *, follow: bool) -> LogPage:
        request = messages.read_request(operation, follow=follow)
        async with aclosing(self._rpc.stream(rpc.READ, request, timeout_s)) as pages:
            async for page in pages:
                # A stream that follows first says where it begins.
                if page.records or not follow:
                    return messages.log_page_from(page)
        raise DeadlineExceeded("the stream ended without a record")
