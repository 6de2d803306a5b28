"""Rows of one `kv` or `wide` table."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, TypeAlias, TypeVar

from taulu.model import operation as model
from taulu.model.consistency import TABLE_LEVEL, Consistency, Facts, Level
from taulu.model.errors import TauluError, TransientError
from taulu.model.result import Absent, Failed, WriteOutcome, Written
from taulu.model.row import Row
from taulu.model.token import IdempotencyToken
from taulu.model.value import Value
from taulu.v1 import data_pb2
from taulu.wire.facts import facts_from
from taulu.wire.mutations import unit_message
from taulu_client import messages, rpc
from taulu_client.items import (
    Condition,
    Delete,
    DeleteRange,
    IfAbsent,
    Item,
    Mutation,
    Page,
    Put,
    Unit,
    Update,
    time_of,
)
from taulu_client.retry import Reopening
from taulu_client.row_fetch import chunking_of, fetch_rows
from taulu_client.row_types import RowType
from taulu_client.sendable import sendable
from taulu_client.sender import Sender
from taulu_client.shape import KeyLike, Shape
from taulu_client.units import write_unit

RowT = TypeVar("RowT")
RowLike: TypeAlias = "RowT | Mapping[str, Value]"
ConsistencyLike: TypeAlias = Consistency | Level | None

_MICROSECOND = timedelta(microseconds=1)
_PAGE_ROWS = 500


def consistency_of(asked: ConsistencyLike) -> Consistency:
    """Return what a read asks for; None asks for the table's own level."""
    if asked is None:
        return TABLE_LEVEL
    return Consistency(asked) if isinstance(asked, Level) else asked


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a partition a query begins and ends, as prefixes of the clustering values."""

    start: KeyLike | None = None
    end: KeyLike | None = None
    start_exclusive: bool = False
    end_exclusive: bool = False


class Table(Generic[RowT]):
    """One table; made by `Client.table`. Every method raises `TauluError`s."""

    def __init__(self, name: str, sender: Sender, rows: RowType[RowT]) -> None:
        self.name = name
        self._sender = sender
        self._rows = rows

    async def get(
        self,
        key: KeyLike,
        *,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
    ) -> Item[RowT] | None:
        """Read a row; None when no row has this key."""
        (outcome,) = await self.batch_get([key], columns=columns, consistency=consistency)
        if isinstance(outcome, TauluError):
            raise outcome
        return outcome

    async def batch_get(
        self,
        keys: Sequence[KeyLike],
        *,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
    ) -> list[Item[RowT] | TauluError | None]:
        """Read any number of rows; one outcome per key, in order: found, None or an error."""
        shape = await self._shape()
        wanted = self._sender.consistency(consistency_of(consistency))

        made = [shape.key(key) for key in keys]
        fetched = await fetch_rows(self._sender, shape, made, columns, wanted)
        return [
            got.error if isinstance(got, Failed) else self._read(shape, got.outcome, got.facts)
            for got in fetched
        ]

    async def query_page(
        self,
        partition: KeyLike,
        span: Span | None = None,
        *,
        reverse: bool = False,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
        page_size: int | None = None,
        page_token: str = "",
    ) -> Page[RowT]:
        """Read one page of a partition; hand `next_page_token` to the next call."""
        shape = await self._shape()
        span = span or Span()
        operation = model.QueryRows(
            self.name,
            shape.partition_values(partition),
            model.Page(page_size or _PAGE_ROWS, 0, token=page_token),
            shape.range(
                span.start,
                span.end,
                start_exclusive=span.start_exclusive,
                end_exclusive=span.end_exclusive,
            ),
            reverse,
            tuple(columns),
            self._sender.consistency(consistency_of(consistency)),
        )
        got = await self._sender.send(operation)
        facts = self._see(got.facts)
        return Page([self._item(shape, row, facts) for row in got.rows], got.next_token)

    async def query(
        self,
        partition: KeyLike,
        *,
        start: KeyLike | None = None,
        end: KeyLike | None = None,
        start_exclusive: bool = False,
        end_exclusive: bool = False,
        reverse: bool = False,
        limit: int | None = None,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
        page_size: int | None = None,
    ) -> AsyncGenerator[Item[RowT]]:
        """Yield the rows of a partition in clustering order, page by page.

        Args:
            partition: The partition key.
            start: First rows to yield: a clustering value, or a prefix of them.
            end: Last rows to yield, included like `start`.
            start_exclusive: Whether rows that begin with `start` are left out.
            end_exclusive: Whether rows that begin with `end` are left out.
            reverse: Whether to go against the clustering order.
            limit: How many rows to yield at most.
            columns: Columns to read; all when there is none.
            consistency: None asks for the table's own level.
            page_size: Rows of one page.
        """
        span = Span(start, end, start_exclusive, end_exclusive)
        token, left = "", limit
        while left is None or left > 0:
            size = page_size or _PAGE_ROWS
            page = await self.query_page(
                partition,
                span,
                reverse=reverse,
                columns=columns,
                consistency=consistency,
                page_size=size if left is None else min(size, left),
                page_token=token,
            )
            for item in page.items:
                yield item
            token = page.next_page_token
            left = None if left is None else left - len(page.items)
            if not token:
                return

    async def scan(
        self,
        *,
        segments: int = 1,
        segment: int | None = None,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
        page_size: int | None = None,
    ) -> AsyncGenerator[Item[RowT]]:
        """Yield every row of the table, in no order that means anything.

        Args:
            segments: Into how many segments the table is cut.
            segment: The one to read; None reads all, one after another. Several processes
                scan together by reading one each.
            columns: Columns to read; all when there is none.
            consistency: None asks for the table's own level.
            page_size: Rows of one page.
        """
        shape = await self._shape()
        wanted = self._sender.consistency(consistency_of(consistency))
        for number in range(segments) if segment is None else (segment,):
            operation = model.ScanRows(
                self.name,
                model.Page(page_size or _PAGE_ROWS, 0),
                number,
                segments,
                tuple(columns),
                wanted,
            )
            async with aclosing(self._scan_segment(shape, operation)) as items:
                async for item in items:
                    yield item

    async def _scan_segment(
        self, shape: Shape, operation: model.ScanRows
    ) -> AsyncGenerator[Item[RowT]]:
        """Yield a segment over one stream, opened again where it ended when it breaks."""
        reopening = Reopening(self._sender.retrier, self._sender.timeout_s)
        while True:
            request = messages.scan_request(operation)
            stream = self._sender.rpc.stream(rpc.SCAN, request, None)
            try:
                async with aclosing(stream) as pages:
                    async for message in pages:
                        page = messages.page_from(message)
                        facts = self._see(page.facts)
                        for row in page.rows:
                            yield self._item(shape, row, facts)
                        if not page.next_token:
                            return
                        next_page = replace(operation.page, token=page.next_token)
                        operation = replace(operation, page=next_page)
                        reopening.progressed()
            except TransientError as error:
                if not await reopening.wait(error):
                    raise

    async def put(
        self,
        row: RowLike[RowT],
        *,
        ttl: timedelta | None = None,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Write a whole row; nothing of one that was there stays, its time to live included."""
        return await self.write([Put(row, ttl)], conditions=conditions, token=token)

    async def insert(
        self,
        row: RowLike[RowT],
        *,
        ttl: timedelta | None = None,
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Write a row that is not there yet; raises `ConditionFailed` when it is."""
        shape = await self._shape()
        key, _ = shape.row(self._rows.to_mapping(row))
        absent = IfAbsent(key.partition + key.clustering)
        return await self.put(row, ttl=ttl, conditions=[absent], token=token)

    async def update(
        self,
        key: KeyLike,
        changes: Mapping[str, Value],
        *,
        ttl: timedelta | None = None,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Change the named columns and keep the others; None clears one."""
        return await self.write([Update(key, changes, ttl)], conditions=conditions, token=token)

    async def delete(
        self,
        key: KeyLike,
        *,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Remove a row, if it is there."""
        return await self.write([Delete(key)], conditions=conditions, token=token)

    async def delete_range(
        self,
        partition: KeyLike,
        *,
        start: KeyLike | None = None,
        end: KeyLike | None = None,
        start_exclusive: bool = False,
        end_exclusive: bool = False,
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Remove the rows of a partition between two prefixes of the clustering values."""
        stretch = DeleteRange(partition, start, end, start_exclusive, end_exclusive)
        return await self.write([stretch], token=token)

    async def write(
        self,
        mutations: Sequence[Mutation],
        *,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Apply mutations together or not at all."""
        (outcome,) = await self.batch_write([Unit(mutations, conditions, token)])
        if isinstance(outcome, TauluError):
            raise outcome
        return outcome

    async def batch_put(
        self, rows: Sequence[RowLike[RowT]], *, ttl: timedelta | None = None
    ) -> list[Written | TauluError]:
        """Write any number of rows, each by itself; one outcome per row, in order."""
        return await self.batch_write([Unit([Put(row, ttl)]) for row in rows])

    async def batch_write(self, units: Sequence[Unit]) -> list[Written | TauluError]:
        """Apply any number of independent units; one outcome per unit, in order."""
        shape = await self._shape()

        async def attempt(
            sent: Sequence[data_pb2.WriteUnit], left_s: float
        ) -> Sequence[WriteOutcome]:
            request = data_pb2.BatchWriteRequest(table=self.name, units=sent)
            reply = await self._sender.rpc.call(rpc.BATCH_WRITE, request, left_s)
            self._see(facts_from(reply.facts, messages.now_us()))
            return messages.write_outcomes(reply.outcomes)

        made = [write_unit(shape, self._rows, unit) for unit in units]
        with sendable():
            asked = [unit_message(unit) for unit in made]
        chunking = chunking_of(shape, "batch_units")
        sizes = [message.ByteSize() for message in asked]
        try:
            outcomes = await self._sender.send_all(asked, sizes, chunking, attempt)
        finally:
            # Whatever became of it: what may have been written is as good as written.
            self._sender.tell_written(self.name, made)
        return [o.error if isinstance(o, Failed) else o for o in outcomes]

    def _read(self, shape: Shape, outcome: Row | Absent, facts: Facts) -> Item[RowT] | None:
        return None if isinstance(outcome, Absent) else self._item(shape, outcome, facts)

    def _item(self, shape: Shape, row: Row, facts: Facts) -> Item[RowT]:
        made = self._rows.from_mapping(shape.mapping(row.key, row.columns))
        return Item(made, row.version, time_of(row.expire_us), facts)

    def _see(self, facts: Facts) -> Facts:
        self._sender.session.see(facts)
        return facts

    async def _shape(self) -> Shape:
        return await self._sender.shape(self.name)
