"""The interface between the gateway and a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar, cast

from taulu.model.clock import Clock, SystemClock
from taulu.model.errors import InvalidArgument, UnknownTable
from taulu.model.operation import (
    AppendRecords,
    ChangeCounters,
    GetCounters,
    GetRows,
    Operation,
    QueryRows,
    ReadLog,
    ScanRows,
    WriteRows,
)
from taulu.model.result import (
    AppendResults,
    CounterReads,
    CounterResults,
    LogPage,
    RowPage,
    RowReads,
    WriteResults,
)
from taulu.model.table import Table
from taulu.spi.capabilities import Capabilities
from taulu.spi.context import Context
from taulu.spi.requirements import check_operation, check_table
from taulu.spi.shared_cache import SharedCache

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Environment:
    """What a gateway hands to its adapters besides their own options."""

    clock: Clock = field(default_factory=SystemClock)
    server_id: str = "local"
    """One id for all worker processes of one server; another server has another."""
    token_window_s: float = 24 * 3600.0
    """How long an adapter must remember an idempotency token, in seconds."""
    workers: int = 1
    """How many worker processes of this server open the adapter, each by itself."""
    worker: int = 0
    """Which of them this is, counted from 0."""
    run_folder: str = ""
    """A folder for what the workers of this server share while it runs."""
    makes_storage: bool = True
    """Whether this is the server's first worker, which makes what its storage lacks. One that
    comes later finds all of it; where the storage itself is gone, its data is lost, and an empty
    one in its place would hide that."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an adapter found out about its backend, for `taulu doctor`."""

    ok: bool
    what: str
    """What was looked at and seen, in a few words."""
    mend: str = ""
    """What to do, when it is not ok."""


class Adapter(ABC):
    """One backend behind the gateway.

    `execute` is the only way in: it holds the invariants that every adapter shares (the
    table was prepared, its kind takes the operation, everything needed was declared) and
    hands on to one private method per operation, which does the I/O. An adapter overrides
    the methods of the kinds that it declares.

    An adapter is safe for concurrent calls on one event loop and never blocks the loop.
    It raises only the tree of `taulu.model.errors`; whatever concerns one item of a batch
    becomes that item's `Failed` outcome, and the method raises only what concerns all of
    them. When a write is cut off by cancellation, its effect may still happen; its token
    settles it.

    Versions: every acknowledged write of a row has a higher version than the acknowledged
    write before it, also when the wall clock steps back and over restarts.
    """

    name: ClassVar[str]
    """As in the entry-point group `taulu.adapters`."""
    capabilities: Capabilities
    """The most that any table here can do; a class attribute, which an instance may narrow."""
    is_host_bound: ClassVar[bool] = False
    """Whether only the workers of one server can write to the store, so that a cache which
    hears of their writes hears of all."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        """Prepared tables by full name."""
        self._capabilities_by_table: dict[str, Capabilities] = {}

    @classmethod
    @abstractmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> Adapter:
        """Make an adapter from one storage target of the settings; do no I/O.

        Raises:
            ConfigError: An option is unknown or wrong; the message names it.
        """

    @abstractmethod
    async def open(self) -> None:
        """Connect. Raises `Unavailable` or `ConfigError` when that cannot be done.

        After `Unavailable` it may be called again.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what is under way and let go of every resource. Safe to call twice."""

    @abstractmethod
    async def _prepare(self, table: Table) -> None:
        """Make sure that the store can hold the table; see `prepare`."""

    @abstractmethod
    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """Look the backend over, for `taulu doctor`. Reports trouble instead of raising.

        Called on an adapter that was not opened: it connects by itself, gives up within a few
        seconds, and lets go of what it opened.

        Args:
            tables: What the settings place on this backend, and `refusals` does not refuse. They
                were not prepared; some may not be there yet.
        """

    def capabilities_of(self, table: Table) -> Capabilities:  # noqa: ARG002 - for those that look
        """Return what one table can do: all that the adapter can, or less.

        An adapter overrides it where the way in which a table is kept decides, for instance
        its write level. It does no I/O and gives the same answer for the same table.
        """
        return self.capabilities

    def shared_cache(self) -> SharedCache | None:
        """Return the shared cache that this backend can be; None when it can not.

        It does no I/O, and is asked of an adapter that is not open, too; what it returns is used
        once the adapter is. All gateways on the same backend share what it holds.
        """
        return None

    def refusals(self, table: Table) -> list[str]:
        """Return why the adapter cannot serve a table, one sentence each; empty when it can."""
        return [*check_table(table, self.capabilities_of(table)), *self._wrong_options(table)]

    def _wrong_options(self, table: Table) -> list[str]:
        """Return what is wrong with the table's `storage.options`, one sentence each.

        An adapter whose tables have options overrides it; here every option is unknown.
        """
        return [f"it has no option {option!r} for tables" for option in table.options]

    async def prepare(self, table: Table) -> None:
        """Create the table's storage, or check that what is there fits. Idempotent.

        Raises:
            SchemaConflict: What is stored was written under a description that does not fit.
        """
        await self._prepare(table)
        self._capabilities_by_table[table.full_name] = self.capabilities_of(table)
        self.tables[table.full_name] = table

    async def execute(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Carry out an operation on a prepared table.

        Raises:
            UnknownTable: The table was not prepared.
            Unsupported: The operation needs something that the adapter did not declare.
            TauluError: Whatever else concerns the whole operation.
        """
        table = self.tables.get(operation.table)
        if table is None:
            raise UnknownTable(f"table {operation.table} is not served by adapter {self.name}")
        check_operation(operation, table, self._capabilities_by_table[operation.table])
        return cast(ResultT, await self._dispatch(operation, table, context))

    async def _dispatch(
        self, operation: Operation[object], table: Table, context: Context
    ) -> object:
        match operation:
            case GetRows():
                return await self._get_rows(operation, table, context)
            case QueryRows():
                return await self._query_rows(operation, table, context)
            case ScanRows():
                return await self._scan_rows(operation, table, context)
            case WriteRows():
                return await self._write_rows(operation, table, context)
            case ChangeCounters():
                return await self._change_counters(operation, table, context)
            case GetCounters():
                return await self._get_counters(operation, table, context)
            case AppendRecords():
                return await self._append_records(operation, table, context)
            case ReadLog():
                return await self._read_log(operation, table, context)
            case _:
                raise InvalidArgument(f"unknown operation {type(operation).__name__}")

    async def _get_rows(self, operation: GetRows, table: Table, context: Context) -> RowReads:
        raise NotImplementedError

    async def _query_rows(self, operation: QueryRows, table: Table, context: Context) -> RowPage:
        raise NotImplementedError

    async def _scan_rows(self, operation: ScanRows, table: Table, context: Context) -> RowPage:
        raise NotImplementedError

    async def _write_rows(
        self, operation: WriteRows, table: Table, context: Context
    ) -> WriteResults:
        raise NotImplementedError

    async def _change_counters(
        self, operation: ChangeCounters, table: Table, context: Context
    ) -> CounterResults:
        raise NotImplementedError

    async def _get_counters(
        self, operation: GetCounters, table: Table, context: Context
    ) -> CounterReads:
        raise NotImplementedError

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        raise NotImplementedError

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        raise NotImplementedError
