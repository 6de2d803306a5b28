"""The client without `async`: the same calls, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

from taulu.model.result import Counter, Written
from taulu.model.token import IdempotencyToken
from taulu.model.value import Value
from taulu_client.client import TIMEOUT_S, Client
from taulu_client.counter_table import CounterTable
from taulu_client.errors import TauluError, Unavailable
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
from taulu_client.options import ClientOptions
from taulu_client.shape import KeyLike
from taulu_client.table import ConsistencyLike, RowLike, Span, Table
from taulu_client.table_info import TableInfo

RowT = TypeVar("RowT")
ResultT = TypeVar("ResultT")


class _Loop:
    """An event loop in a thread, and the way to it from others."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="taulu-client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Wait for a coroutine and return its result."""
        if self._loop.is_closed():
            work.close()
            raise Unavailable("the client is closed; make another")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupt ends the wait; the call must not go on behind it.
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[ResultT]) -> Iterator[ResultT]:
        """Yield what an asynchronous generator yields; it is closed when this one is."""
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.is_closed():
                self.run(_close(items))

    def close(self) -> None:
        """End the thread; safe to call twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(items: AsyncGenerator[ResultT]) -> ResultT:
    return await anext(items)


async def _close(items: AsyncGenerator[Any]) -> None:
    await items.aclose()


class SyncTable(Generic[RowT]):
    """`taulu_client.Table` without `async`; see there for each method."""

    def __init__(self, table: Table[RowT], loop: _Loop) -> None:
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

    def __init__(self, table: CounterTable, loop: _Loop) -> None:
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

    def __init__(self, table: LogTable, loop: _Loop) -> None:
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


class SyncClient:
    """`taulu_client.Client` without `async`; safe for several threads at once."""

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = TIMEOUT_S,
        options: ClientOptions | None = None,
        session_token: str = "",
    ) -> None:
        self._loop = _Loop()

        async def make() -> Client:
            # A channel belongs to the loop that runs when it is made.
            return Client(
                address, timeout_s=timeout_s, options=options, session_token=session_token
            )

        try:
            self._client = self._loop.run(make())
        except BaseException:
            self._loop.close()
            raise
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel and end the thread; safe to call twice."""
        if self._is_open:
            self._is_open = False
            self._loop.run(self._client.close())
            self._loop.close()

    @property
    def session_token(self) -> str:
        """Stands for all that this client has written or seen; empty at first."""
        return self._client.session_token

    @overload
    def table(self, name: str, rows: None = None) -> SyncTable[dict[str, Value]]: ...
    @overload
    def table(self, name: str, rows: type[RowT]) -> SyncTable[RowT]: ...
    def table(self, name: str, rows: type[Any] | None = None) -> SyncTable[Any]:
        """Open a `kv` or `wide` table."""
        return SyncTable(self._client.table(name, rows), self._loop)

    def counter(self, name: str) -> SyncCounterTable:
        """Open a `counter` table."""
        return SyncCounterTable(self._client.counter(name), self._loop)

    def log(self, name: str) -> SyncLogTable:
        """Open a `log` table."""
        return SyncLogTable(self._client.log(name), self._loop)

    def tables(self, namespace: str = "") -> list[TableInfo]:
        """Return every table that the gateway serves, by name."""
        return self._loop.run(self._client.tables(namespace))

    def describe(self, name: str) -> TableInfo:
        """Return one table's description, as the gateway has it now."""
        return self._loop.run(self._client.describe(name))
