"""A call gets the level it asked for or an error, never quietly less."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, cast

from taulu.model.consistency import Consistency, Facts, Level
from taulu.model.errors import Internal, InvalidArgument
from taulu.model.operation import (
    GetCounters,
    GetRows,
    Operation,
    QueryRows,
    ScanRows,
    WriteRows,
)
from taulu.model.table import Table
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")


class _HasFacts(Protocol):
    """What all results have in common."""

    @property
    def facts(self) -> Facts: ...


@dataclass(frozen=True, slots=True)
class ConsistencyLevels:
    """Fills in the table's own levels, and holds the adapter to what was asked."""

    next: Handler
    table: Table

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Fill in the level, run the next handler, compare with what was achieved.

        Raises:
            InvalidArgument: BOUNDED_STALENESS was asked for, and there is no bound.
            Internal: The adapter answered at a weaker level than asked: a defect.
        """
        filled, asked = self._fill(operation)
        result = await self.next(cast("Operation[ResultT]", filled), context)
        if asked is not None:
            self._check_achieved(asked, cast(_HasFacts, result).facts)
        return result

    def _fill(self, operation: Operation[object]) -> tuple[Operation[object], Level | None]:
        match operation:
            case GetRows() | QueryRows() | ScanRows() | GetCounters():
                consistency = self._filled(operation.consistency)
                if consistency is operation.consistency:
                    return operation, consistency.level
                return replace(operation, consistency=consistency), consistency.level
            case WriteRows(level=level):
                asked = level or self.table.write_level
                return replace(operation, level=asked), asked
            case _:
                return operation, None

    def _filled(self, consistency: Consistency) -> Consistency:
        level = consistency.level or self.table.read_level
        if level is not Level.BOUNDED_STALENESS:
            if consistency.level is level:
                return consistency
            return replace(consistency, level=level)
        bound = consistency.staleness_us_max or self.table.staleness_us_max
        if bound is None:
            raise InvalidArgument(
                f"BOUNDED_STALENESS on {self.table.full_name} needs a bound; send max_staleness, "
                "or set consistency.max_staleness in the table's YAML",
                details={"table": self.table.full_name},
            )
        return replace(consistency, level=level, staleness_us_max=bound)

    def _check_achieved(self, asked: Level, facts: Facts) -> None:
        if facts.level < asked:
            raise Internal(
                f"{self.table.full_name} was asked for {asked.name} but its adapter achieved "
                f"only {facts.level.name}; the answer is withheld; report this as a defect",
                details={"table": self.table.full_name},
            )
