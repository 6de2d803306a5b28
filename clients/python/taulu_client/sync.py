"""The client without `async`: the same calls, on an event loop in a thread of its own."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypeVar, overload

from taulu.model.value import Value
from taulu_client.client import TIMEOUT_S, Client
from taulu_client.loop_thread import LoopThread
from taulu_client.options import ClientOptions
from taulu_client.row_cache import BYTES_MAX
from taulu_client.sync_tables import SyncCounterTable, SyncLogTable, SyncTable
from taulu_client.table_info import TableInfo

RowT = TypeVar("RowT")


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
        self._loop = LoopThread()

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

    @overload
    def cached_table(
        self, name: str, rows: None = None, *, bytes_max: int = BYTES_MAX
    ) -> SyncTable[dict[str, Value]]: ...
    @overload
    def cached_table(
        self, name: str, rows: type[RowT], *, bytes_max: int = BYTES_MAX
    ) -> SyncTable[RowT]: ...
    def cached_table(
        self, name: str, rows: type[Any] | None = None, *, bytes_max: int = BYTES_MAX
    ) -> SyncTable[Any]:
        """Open a `kv` table whose rows are kept in this process; see `Client.cached_table`."""
        return SyncTable(self._client.cached_table(name, rows, bytes_max=bytes_max), self._loop)

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
