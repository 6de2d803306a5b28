"""One call asks for only so much: the counts of a batch, and the size of a page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar, cast

from taulu.model.errors import LimitExceeded
from taulu.model.operation import (
    AppendRecords,
    ChangeCounters,
    GetCounters,
    GetRows,
    Operation,
    Page,
    QueryRows,
    ReadLog,
    ScanRows,
    WriteRows,
)
from taulu.model.table import Limits, Table
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")


def check_count(table: Table, limit: str, sent: int) -> None:
    """Hold a number of items to one of a table's limits, named as in `Limits`.

    Raises:
        LimitExceeded: There are more; the message names the limit.
    """
    allowed = int(getattr(table.limits, limit))
    if sent > allowed:
        raise LimitExceeded(
            f"the call on {table.full_name} has {sent} where {limit} allows {allowed}; nothing "
            "was done; split it",
            details={
                "table": table.full_name,
                "limit": limit,
                "value": str(allowed),
                "sent": str(sent),
            },
        )


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Refuses a batch past its limit as a whole; a page past its limit is made smaller.

    Raises:
        LimitExceeded: Nothing was done; the message names the limit.
    """

    next: Handler
    table: Table

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Check the counts, clamp the page, run the next handler."""
        bounded = cast("Operation[ResultT]", self._bounded(operation))
        return await self.next(bounded, context)

    def _bounded(self, asked: Operation[object]) -> Operation[object]:
        limits = self.table.limits
        match asked:
            case GetRows(keys=keys) | GetCounters(keys=keys):
                check_count(self.table, "batch_keys", len(keys))
            case WriteRows(units=units):
                check_count(self.table, "batch_units", len(units))
                for unit in units:
                    size = len(unit.mutations) + len(unit.conditions)
                    check_count(self.table, "unit_mutations", size)
            case ChangeCounters(changes=changes):
                check_count(self.table, "batch_units", len(changes))
            case AppendRecords(records=records):
                check_count(self.table, "batch_units", len(records))
            case QueryRows(page=page) | ScanRows(page=page):
                return replace(asked, page=_clamp(page, limits))
            case ReadLog():
                return replace(
                    asked,
                    records_max=min(asked.records_max, limits.page_rows),
                    bytes_max=min(asked.bytes_max, limits.page_bytes),
                )
            case _:
                pass
        return asked


def _clamp(page: Page, limits: Limits) -> Page:
    return replace(
        page,
        rows_max=min(page.rows_max or limits.page_rows, limits.page_rows),
        bytes_max=min(page.bytes_max or limits.page_bytes, limits.page_bytes),
    )
