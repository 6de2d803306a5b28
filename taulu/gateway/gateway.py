"""Routing: each operation goes to the pipeline of its table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from taulu.cache import CacheRoom
from taulu.gateway.caches import CachedPipeline
from taulu.model.errors import UnknownTable
from taulu.model.operation import Operation
from taulu.model.table import Table
from taulu.spi.adapter import Adapter
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Binding:
    """One table, the adapter that holds it, and the pipeline in front of that."""

    table: Table
    adapter: Adapter
    handler: Handler
    cached: CachedPipeline | None = None
    """Its cache; None when it has none."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """All tables that one worker serves. A `Handler` itself."""

    bindings: Mapping[str, Binding]
    """By full table name."""
    room: CacheRoom | None = None
    """What the caches of this worker share; None when no table is cached."""
    run: int = 0
    """Which run of a worker this is, for clients that cache; 0 when no table is cached."""

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Route an operation to its table.

        Raises:
            UnknownTable: No such table is served; the message names the nearest one.
            TauluError: Whatever the table's pipeline raises.
        """
        return await self.binding(operation.table).handler(operation, context)

    def binding(self, table: str) -> Binding:
        """Return the binding of a table, or raise `UnknownTable`."""
        found = self.bindings.get(table)
        if found is not None:
            return found
        shown = table[:128]
        near = difflib.get_close_matches(shown, self.bindings, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "list them with `taulu tables`"
        raise UnknownTable(f"no table is called {shown!r}; {hint}", details={"table": shown})
