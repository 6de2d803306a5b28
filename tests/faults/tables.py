"""The tables that the workload runs on: one per part, at the levels that are put to the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from taulu.conformance.tables import STORAGE
from taulu.model import Bounds, Column, ColumnType, Kind, Level, Table, TypeName
from taulu.spi import Capabilities, Feature

NAMESPACE = "faults"
CEILING = 100
LOG_PARTITIONS = 2

_ID = Column("id", ColumnType(TypeName.STRING))
_NUMBER = Column("number", ColumnType(TypeName.INT64))


@dataclass(frozen=True, slots=True)
class FaultTables:
    """The tables of the parts that run; None leaves a part out."""

    registers: Table | None = None
    """Rows changed by compare-and-set."""
    accounts: Table | None = None
    """Bounded counters."""
    notes: Table | None = None
    """Rows put plainly."""
    lines: Table | None = None
    """A log."""
    has_holds: bool = False
    """Whether the accounts take holds."""

    def all(self) -> list[Table]:
        """Return the tables to prepare."""
        every = (self.registers, self.accounts, self.notes, self.lines)
        return [table for table in every if table is not None]

    def names(self) -> list[str]:
        """Return the names of the parts that run."""
        return [table.name for table in self.all()]

    def with_options(self, options: Mapping[str, object]) -> FaultTables:
        """Return the same tables kept in one way of the backend's own."""
        return FaultTables(
            *(
                None if table is None else replace(table, options=options)
                for table in (self.registers, self.accounts, self.notes, self.lines)
            ),
            has_holds=self.has_holds,
        )


def fault_tables(
    capabilities: Capabilities, *, notes_read: Level | None = None, notes_write: Level | None = None
) -> FaultTables:
    """Return the tables that a backend with these capabilities can serve.

    Args:
        capabilities: What the backend's strongest tables can do.
        notes_read: The read level of the plain rows; the strongest by default.
        notes_write: The write level of the plain rows; the strongest by default.
    """
    strongest_read = max(capabilities.read_levels, default=Level.QUORUM)
    strongest_write = max(capabilities.write_levels, default=Level.QUORUM)

    def table(name: str, kind: Kind, feature: Feature | None = None) -> Table | None:
        if kind not in capabilities.kinds:
            return None
        if feature is not None and feature not in capabilities.features:
            return None
        columns = () if kind is Kind.COUNTER else (_NUMBER,)
        return Table(
            NAMESPACE,
            name,
            kind,
            (_ID,),
            columns=columns,
            storage=STORAGE,
            read_level=strongest_read,
            write_level=strongest_write,
            bounds=Bounds(0, CEILING) if kind is Kind.COUNTER else Bounds(),
            log_partitions=LOG_PARTITIONS if kind is Kind.LOG else 0,
        )

    notes = table("notes", Kind.KV)
    if notes is not None:
        notes = replace(
            notes,
            read_level=notes_read or strongest_read,
            write_level=notes_write or strongest_write,
        )
    return FaultTables(
        registers=table("registers", Kind.KV, Feature.CONDITIONS),
        accounts=table("accounts", Kind.COUNTER),
        notes=notes,
        lines=table("lines", Kind.LOG),
        has_holds=Feature.HOLDS in capabilities.features,
    )
