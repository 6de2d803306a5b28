"""What a table cannot do is refused before anything else is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from taulu.model.operation import Operation
from taulu.model.table import Table
from taulu.spi.capabilities import Capabilities
from taulu.spi.context import Context, Handler
from taulu.spi.requirements import check_operation

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Support:
    """Refuses operations of another kind of table, and capabilities that were not declared."""

    next: Handler
    table: Table
    capabilities: Capabilities

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Check what the operation needs, then run the next handler.

        Raises:
            InvalidArgument: The table is of a kind that does not take the operation.
            Unsupported: The adapter did not declare a feature or a level that it needs.
        """
        check_operation(operation, self.table, self.capabilities)
        return await self.next(operation, context)
