"""Requests from operations, and results from replies."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from taulu.model.operation import (
    Commit,
    CounterChange,
    FromEarliest,
    FromLatest,
    FromOffset,
    FromTime,
    GetRows,
    Increment,
    LogStart,
    NewRecord,
    QueryRows,
    ReadLog,
    Release,
    Reserve,
    ScanRows,
)
from taulu.model.result import (
    Absent,
    Appended,
    AppendOutcome,
    Changed,
    Counter,
    CounterRead,
    Failed,
    LogPage,
    LogRecord,
    RowOutcome,
    RowPage,
    WriteOutcome,
    Written,
)
from taulu.model.table import Bounds
from taulu.v1 import counter_pb2, data_pb2, log_pb2
from taulu.wire.errors import error_from
from taulu.wire.facts import consistency_message, facts_from, token_message
from taulu.wire.values import (
    columns_from,
    columns_message,
    duration_message,
    key_from,
    key_message,
    key_values_from,
    range_message,
    row_from,
    timestamp_message,
    timestamp_us,
    value_message,
)
from taulu_client.sendable import sendable

ChangeRequest = (
    counter_pb2.IncrementRequest
    | counter_pb2.ReserveRequest
    | counter_pb2.CommitRequest
    | counter_pb2.ReleaseRequest
)
ChangeReply = (
    counter_pb2.IncrementResponse
    | counter_pb2.ReserveResponse
    | counter_pb2.CommitResponse
    | counter_pb2.ReleaseResponse
)


def now_us() -> int:
    """Return wall time in microseconds since 1970."""
    return time.time_ns() // 1_000


@sendable()
def get_request(operation: GetRows) -> data_pb2.BatchGetRequest:
    """Return the request for rows."""
    return data_pb2.BatchGetRequest(
        table=operation.table,
        keys=[key_message(key) for key in operation.keys],
        columns=operation.columns,
        consistency=consistency_message(operation.consistency),
    )


@sendable()
def query_request(operation: QueryRows) -> data_pb2.QueryRequest:
    """Return the request for a page of a partition."""
    return data_pb2.QueryRequest(
        table=operation.table,
        partition=[value_message(value) for value in operation.partition],
        range=range_message(operation.range),
        reverse=operation.reverse,
        columns=operation.columns,
        consistency=consistency_message(operation.consistency),
        page_size=operation.page.rows_max,
        page_bytes=operation.page.bytes_max,
        page_token=operation.page.token,
    )


@sendable()
def scan_request(operation: ScanRows) -> data_pb2.ScanRequest:
    """Return the request for the pages of a segment."""
    return data_pb2.ScanRequest(
        table=operation.table,
        segment=operation.segment,
        segment_count=operation.segment_count,
        columns=operation.columns,
        consistency=consistency_message(operation.consistency),
        page_size=operation.page.rows_max,
        page_token=operation.page.token,
    )


def page_from(message: data_pb2.QueryResponse | data_pb2.ScanResponse) -> RowPage:
    """Return a page of rows."""
    return RowPage(
        tuple(row_from(row) for row in message.rows),
        facts_from(message.facts, now_us()),
        next_token=message.next_page_token,
    )


def row_outcomes(messages: Iterable[data_pb2.RowOutcome]) -> tuple[RowOutcome, ...]:
    """Return the outcomes of a read."""
    return tuple(_row_outcome(message) for message in messages)


def _row_outcome(message: data_pb2.RowOutcome) -> RowOutcome:
    match message.WhichOneof("outcome"):
        case "found":
            return row_from(message.found)
        case "failed":
            return Failed(error_from(message.failed))
        case _:
            return Absent()


def write_outcomes(messages: Iterable[data_pb2.WriteOutcome]) -> tuple[WriteOutcome, ...]:
    """Return the outcomes of a write."""
    return tuple(
        Failed(error_from(message.failed))
        if message.HasField("failed")
        else Written(message.written.version)
        for message in messages
    )


@sendable()
def change_request(table: str, change: CounterChange) -> ChangeRequest:
    """Return the request for a change of a counter."""
    key, token = key_message(change.key), token_message(change.token)
    match change:
        case Increment():
            return counter_pb2.IncrementRequest(
                table=table, key=key, delta=change.delta, bounds=_bounds(change.bounds), token=token
            )
        case Reserve():
            return counter_pb2.ReserveRequest(
                table=table,
                key=key,
                amount=change.amount,
                bounds=_bounds(change.bounds),
                ttl=duration_message(change.ttl_us),
                hold_id=change.hold_id,
                token=token,
            )
        case Commit():
            return counter_pb2.CommitRequest(
                table=table, key=key, hold_id=change.hold_id, amount=change.amount, token=token
            )
        case Release():
            return counter_pb2.ReleaseRequest(
                table=table, key=key, hold_id=change.hold_id, token=token
            )


def _bounds(bounds: Bounds) -> counter_pb2.Bounds:
    return counter_pb2.Bounds(floor=bounds.floor, ceiling=bounds.ceiling)


def changed_from(message: ChangeReply) -> Changed:
    """Return the state just after a change."""
    expire_us = None
    if isinstance(message, counter_pb2.ReserveResponse) and message.HasField("expire_time"):
        expire_us = timestamp_us(message.expire_time)
    return Changed(_counter(message.counter), expire_us)


def counter_reads(messages: Iterable[counter_pb2.CounterOutcome]) -> tuple[CounterRead, ...]:
    """Return the outcomes of a read of counters."""
    return tuple(
        Failed(error_from(message.failed))
        if message.HasField("failed")
        else _counter(message.found)
        for message in messages
    )


def _counter(message: counter_pb2.Counter) -> Counter:
    return Counter(
        key_from(message.key),
        message.value,
        message.held_increase,
        message.held_decrease,
        message.version,
    )


@sendable()
def record_message(record: NewRecord) -> log_pb2.NewRecord:
    """Return a record to append."""
    return log_pb2.NewRecord(
        key=[value_message(value) for value in record.key],
        columns=columns_message(record.columns),
        token=token_message(record.token),
    )


def append_outcomes(messages: Iterable[log_pb2.AppendOutcome]) -> tuple[AppendOutcome, ...]:
    """Return the outcomes of an append."""
    return tuple(_append_outcome(message) for message in messages)


def _append_outcome(message: log_pb2.AppendOutcome) -> AppendOutcome:
    if message.HasField("failed"):
        return Failed(error_from(message.failed))
    appended = message.appended
    return Appended(appended.partition, appended.offset, timestamp_us(appended.append_time))


@sendable()
def read_request(operation: ReadLog, *, follow: bool) -> log_pb2.ReadRequest:
    """Return the request for records of a partition."""
    request = log_pb2.ReadRequest(
        table=operation.table,
        partition=operation.partition,
        follow=follow,
        record_count_max=operation.records_max,
        page_bytes=operation.bytes_max,
    )
    _set_start(request, operation.start)
    return request


def _set_start(request: log_pb2.ReadRequest, start: LogStart) -> None:
    match start:
        case FromOffset(offset=offset):
            request.offset = offset
        case FromTime(time_us=time_us):
            request.time.CopyFrom(timestamp_message(time_us))
        case FromEarliest():
            request.earliest.SetInParent()
        case FromLatest():
            request.latest.SetInParent()


def log_page_from(message: log_pb2.ReadResponse) -> LogPage:
    """Return a page of records."""
    return LogPage(
        tuple(_records(message.records)),
        message.next_offset,
        message.end_offset,
        facts_from(message.facts, now_us()),
    )


def _records(messages: Sequence[log_pb2.LogRecord]) -> Iterable[LogRecord]:
    for message in messages:
        yield LogRecord(
            message.partition,
            message.offset,
            timestamp_us(message.append_time),
            key_values_from(message.key),
            columns_from(message.columns),
        )
