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
                self._check("batch_keys", len(keys), limits.batch_keys)
            case WriteRows(units=units):
                self._check("batch_units", len(units), limits.batch_units)
                for unit in units:
                    size = len(unit.mutations) + len(unit.conditions)
                    self._check("unit_mutations", size, limits.unit_mutations)
            case ChangeCounters(changes=changes):
                self._check("batch_units", len(changes), limits.batch_units)
            case AppendRecords(records=records):
                self._check("batch_units", len(records), limits.batch_units)
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

    def _check(self, limit: str, sent: int, allowed: int) -> None:
        if sent > allowed:
            raise LimitExceeded(
                f"the call on {self.table.full_name} has {sent} where {limit} allows "
                f"{allowed}; nothing was done; split it",
                details={
                    "table": self.table.full_name,
                    "limit": limit,
                    "value": str(allowed),
                    "sent": str(sent),
                },
            )


def _clamp(page: Page, limits: Limits) -> Page:
    return replace(
        page,
        rows_max=min(page.rows_max or limits.page_rows, limits.page_rows),
        bytes_max=min(page.bytes_max or limits.page_bytes, limits.page_bytes),
    )
