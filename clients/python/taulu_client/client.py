"""The client: one channel to a gateway, and the tables behind it."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypeVar, overload

from taulu.codec import session_of
from taulu.model.clock import SystemClock
from taulu.model.value import Value
from taulu.v1 import catalog_pb2
from taulu_client import rpc
from taulu_client.cache_feed import Feed
from taulu_client.cached_table import CachedTable, Caches
from taulu_client.catalog import Catalog
from taulu_client.counter_table import CounterTable
from taulu_client.gateway_caches import GatewayCaches
from taulu_client.log_table import LogTable
from taulu_client.options import ClientOptions
from taulu_client.retry import Deadline
from taulu_client.row_cache import BYTES_MAX
from taulu_client.row_types import row_type
from taulu_client.rpc import Rpc
from taulu_client.sendable import sendable
from taulu_client.sender import Sender
from taulu_client.table import Table
from taulu_client.table_info import TableInfo, table_info

RowT = TypeVar("RowT")

TIMEOUT_S = 5.0


class Client:
    """Speaks to one gateway. Safe for many tasks of one event loop, that of its first call.

    Args:
        address: `host:port`.
        timeout_s: How long a call may take, retries included, in seconds. Streams have no
            end of their own; it is how long they may be broken before they fail, if they are
            not given up before that, after as many attempts as `options.retry` allows.
        options: Retries and limits.
        session_token: The token of another client whose writes this one must see.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = TIMEOUT_S,
        options: ClientOptions | None = None,
        session_token: str = "",
    ) -> None:
        self._options = options or ClientOptions()
        self._rpc = Rpc(address, self._options.response_bytes_max)
        catalog = Catalog(self._fetch, self._options.catalog_s)
        self._sender = Sender(self._rpc, self._options, timeout_s, catalog)
        self._sender.session.resume(session_of(session_token))
        self._caches = Caches(self._sender, Feed(self._rpc, SystemClock()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; open streams end."""
        await self._caches.close()
        await self._rpc.close()

    @property
    def session_token(self) -> str:
        """Stands for all that this client has written or seen; empty at first."""
        return self._sender.session.token

    @overload
    def table(self, name: str, rows: None = None) -> Table[dict[str, Value]]: ...
    @overload
    def table(self, name: str, rows: type[RowT]) -> Table[RowT]: ...
    def table(self, name: str, rows: type[Any] | None = None) -> Table[Any]:
        """Open a `kv` or `wide` table; it is looked up with the first call.

        Args:
            name: `namespace.table`.
            rows: A dataclass or pydantic model for rows; None for mappings.
        """
        return Table(name, self._sender, row_type(rows))

    @overload
    def cached_table(
        self, name: str, rows: None = None, *, bytes_max: int = BYTES_MAX
    ) -> CachedTable[dict[str, Value]]: ...
    @overload
    def cached_table(
        self, name: str, rows: type[RowT], *, bytes_max: int = BYTES_MAX
    ) -> CachedTable[RowT]: ...
    def cached_table(
        self, name: str, rows: type[Any] | None = None, *, bytes_max: int = BYTES_MAX
    ) -> CachedTable[Any]:
        """Open a `kv` table whose rows are kept in this process, by the table's cache policy.

        Args:
            name: `namespace.table`.
            rows: As of `table`.
            bytes_max: How much is kept. All that open the table by this client share one
                cache, as large as the first of them said.
        """
        return CachedTable(name, self._sender, row_type(rows), self._caches, bytes_max)

    def counter(self, name: str) -> CounterTable:
        """Open a `counter` table; it is looked up with the first call."""
        return CounterTable(name, self._sender)

    def log(self, name: str) -> LogTable:
        """Open a `log` table; it is looked up with the first call."""
        return LogTable(name, self._sender)

    @property
    def gateway_caches(self) -> GatewayCaches:
        """Counts and verification of the caches of the worker at the other end."""
        return GatewayCaches(self._sender)

    async def tables(self, namespace: str = "") -> list[TableInfo]:
        """Return every table that the gateway serves, by name."""
        found: list[TableInfo] = []
        token = ""
        while True:
            with sendable():
                request = catalog_pb2.ListTablesRequest(namespace=namespace, page_token=token)
            reply = await self._sender.retrier.call(
                lambda left_s, request=request: self._rpc.call(rpc.LIST_TABLES, request, left_s),
                Deadline.after(self._sender.timeout_s),
            )
            found += [table_info(message) for message in reply.tables]
            token = reply.next_page_token
            if not token:
                return found

    async def describe(self, name: str) -> TableInfo:
        """Return one table's description, as the gateway has it now.

        Raises:
            UnknownTable: The gateway serves no such table; the message names the nearest.
        """
        return await self._fetch(name)

    async def _fetch(self, name: str) -> TableInfo:
        with sendable():
            request = catalog_pb2.GetTableRequest(table=name)
        reply = await self._sender.retrier.call(
            lambda left_s: self._rpc.call(rpc.GET_TABLE, request, left_s),
            Deadline.after(self._sender.timeout_s),
        )
        return table_info(reply.table)
