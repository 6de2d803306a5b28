"""Tables without `async`: the same calls, carried out by a loop in another thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from taulu.model.result import Counter, Written
from taulu.model.token import IdempotencyToken
from taulu.model.value import Value
from taulu_client.counter_table import CounterTable
from taulu_client.errors import TauluError
from taulu_client.items import (
    Appended,
    Condition,
    Hold,
    Item,
    LogRecord,
    Mutation,
    Page,
    Record,
    Unit,
)
from taulu_client.log_table import LogTable
from taulu_client.loop_thread import LoopThread
from taulu_client.shape import KeyLike
from taulu_client.table import ConsistencyLike, RowLike, Span, Table

RowT = TypeVar("RowT")


class SyncTable(Generic[RowT]):
    """`taulu_client.Table` without `async`; see there for each method."""

    def __init__(self, table: Table[RowT], loop: LoopThread) -> None:
        self._table = table
        self._loop = loop

    def get(
        self,
        key: KeyLike,
        *,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
    ) -> Item[RowT] | None:
        """Read a row; None when no row has this key."""
        return self._loop.run(self._table.get(key, columns=columns, consistency=consistency))

    def batch_get(
        self,
        keys: Sequence[KeyLike],
        *,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
    ) -> list[Item[RowT] | TauluError | None]:
        """Read any number of rows; one outcome per key, in order."""
        return self._loop.run(self._table.batch_get(keys, columns=columns, consistency=consistency))

    def query_page(
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
        """Read one page of a partition."""
        return self._loop.run(
            self._table.query_page(
                partition,
                span,
                reverse=reverse,
                columns=columns,
                consistency=consistency,
                page_size=page_size,
                page_token=page_token,
            )
        )

    def query(
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
    ) -> Iterator[Item[RowT]]:
        """Yield the rows of a partition in clustering order, page by page."""
        return self._loop.iterate(
            self._table.query(
                partition,
                start=start,
                end=end,
                start_exclusive=start_exclusive,
                end_exclusive=end_exclusive,
                reverse=reverse,
                limit=limit,
                columns=columns,
                consistency=consistency,
                page_size=page_size,
            )
        )

    def scan(
        self,
        *,
        segments: int = 1,
        segment: int | None = None,
        columns: Sequence[str] = (),
        consistency: ConsistencyLike = None,
        page_size: int | None = None,
    ) -> Iterator[Item[RowT]]:
        """Yield every row of the table, in no order that means anything."""
        return self._loop.iterate(
            self._table.scan(
                segments=segments,
                segment=segment,
                columns=columns,
                consistency=consistency,
                page_size=page_size,
            )
        )

    def put(
        self,
        row: RowLike[RowT],
        *,
        ttl: timedelta | None = None,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Write a whole row."""
        return self._loop.run(self._table.put(row, ttl=ttl, conditions=conditions, token=token))

    def insert(
        self,
        row: RowLike[RowT],
        *,
        ttl: timedelta | None = None,
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Write a row that is not there yet; raises `ConditionFailed` when it is."""
        return self._loop.run(self._table.insert(row, ttl=ttl, token=token))

    def update(
        self,
        key: KeyLike,
        changes: Mapping[str, Value],
        *,
        ttl: timedelta | None = None,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Change the named columns and keep the others; None clears one."""
        return self._loop.run(
            self._table.update(key, changes, ttl=ttl, conditions=conditions, token=token)
        )

    def delete(
        self,
        key: KeyLike,
        *,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Remove a row, if it is there."""
        return self._loop.run(self._table.delete(key, conditions=conditions, token=token))

    def delete_range(
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
        return self._loop.run(
            self._table.delete_range(
                partition,
                start=start,
                end=end,
                start_exclusive=start_exclusive,
                end_exclusive=end_exclusive,
                token=token,
            )
        )

    def write(
        self,
        mutations: Sequence[Mutation],
        *,
        conditions: Sequence[Condition] = (),
        token: IdempotencyToken | None = None,
    ) -> Written:
        """Apply mutations together or not at all."""
        return self._loop.run(self._table.write(mutations, conditions=conditions, token=token))

    def batch_put(
        self, rows: Sequence[RowLike[RowT]], *, ttl: timedelta | None = None
    ) -> list[Written | TauluError]:
        """Write any number of rows, each by itself; one outcome per row, in order."""
        return self._loop.run(self._table.batch_put(rows, ttl=ttl))

    def batch_write(self, units: Sequence[Unit]) -> list[Written | TauluError]:
        """Apply any number of independent units; one outcome per unit, in order."""
        return self._loop.run(self._table.batch_write(units))


class SyncCounterTable:
    """`taulu_client.CounterTable` without `async`; see there for each method."""

    def __init__(self, table: CounterTable, loop: LoopThread) -> None:
        self._table = table
        self._loop = loop

    def increment(
        self,
        key: KeyLike,
        delta: int,
        *,
        floor: int | None = None,
        ceiling: int | None = None,
        token: IdempotencyToken | None = None,
    ) -> Counter:
        """Add to a counter, and return it just after."""
        return self._loop.run(
            self._table.increment(key, delta, floor=floor, ceiling=ceiling, token=token)
        )

    def reserve(
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
        """Set an amount aside until it is committed, released or expired."""
        return self._loop.run(
            self._table.reserve(
                key,
                amount,
                ttl=ttl,
                hold_id=hold_id,
                floor=floor,
                ceiling=ceiling,
                token=token,
            )
        )

    def commit(
        self,
        key: KeyLike,
        hold_id: str,
        *,
        amount: int | None = None,
        token: IdempotencyToken | None = None,
    ) -> Counter:
        """Add a hold, or a part of it, to the counter and end the hold."""
        return self._loop.run(self._table.commit(key, hold_id, amount=amount, token=token))

    def release(
        self, key: KeyLike, hold_id: str, *, token: IdempotencyToken | None = None
    ) -> Counter:
        """End a hold without effect on the value."""
        return self._loop.run(self._table.release(key, hold_id, token=token))

    def get(self, key: KeyLike, *, consistency: ConsistencyLike = None) -> Counter:
        """Read a counter; one that was never written is 0."""
        return self._loop.run(self._table.get(key, consistency=consistency))

    def batch_get(
        self, keys: Sequence[KeyLike], *, consistency: ConsistencyLike = None
    ) -> list[Counter | TauluError]:
        """Read any number of counters; one outcome per key, in order."""
        return self._loop.run(self._table.batch_get(keys, consistency=consistency))


class SyncLogTable:
    """`taulu_client.LogTable` without `async`; see there for each method."""

    def __init__(self, table: LogTable, loop: LoopThread) -> None:
        self._table = table
        self._loop = loop

    def append(
        self, key: KeyLike, columns: Mapping[str, Value], *, token: IdempotencyToken | None = None
    ) -> Appended:
        """Append a record."""
        return self._loop.run(self._table.append(key, columns, token=token))

    def batch_append(self, records: Sequence[Record]) -> list[Appended | TauluError]:
        """Append any number of records; one outcome per record, in order."""
        return self._loop.run(self._table.batch_append(records))

    def read(
        self,
        partition: int,
        *,
        offset: int | None = None,
        time: datetime | None = None,
        latest: bool = False,
        follow: bool = False,
        limit: int | None = None,
    ) -> Iterator[LogRecord]:
        """Yield records of a partition in order."""
        return self._loop.iterate(
            self._table.read(
                partition, offset=offset, time=time, latest=latest, follow=follow, limit=limit
            )
        )

    def partition_count(self) -> int:
        """Return how many partitions the table has."""
        return self._loop.run(self._table.partition_count())
