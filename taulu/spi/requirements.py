"""What an operation, or a table, needs of an adapter; and the one check of the two.

Called by `Adapter.execute` for every operation and by the gateway for every table at
load, so that nothing an adapter did not declare is ever tried, ignored or weakened.
"""

from __future__ import annotations

from collections.abc import Iterator

from taulu.model.errors import InvalidArgument, Unsupported
from taulu.model.operation import (
    ChangeCounters,
    DeleteRange,
    FromTime,
    GetCounters,
    GetRows,
    Increment,
    Mutation,
    Operation,
    Put,
    QueryRows,
    ReadLog,
    ScanRows,
    Update,
    WriteRows,
    WriteUnit,
)
from taulu.model.row import Partition
from taulu.model.table import Kind, Table
from taulu.spi.capabilities import Capabilities, Feature


def partitions_of(unit: WriteUnit) -> set[Partition]:
    """Return the partitions that a unit touches, conditions included."""
    touched = {partition_of(mutation) for mutation in unit.mutations}
    return touched | {condition.key.partition for condition in unit.conditions}


def partition_of(mutation: Mutation) -> Partition:
    """Return the partition that a mutation touches."""
    return mutation.partition if isinstance(mutation, DeleteRange) else mutation.key.partition


def _features_of_unit(unit: WriteUnit) -> Iterator[Feature]:
    if unit.conditions:
        yield Feature.CONDITIONS
    if len(partitions_of(unit)) > 1:
        yield Feature.TRANSACTIONS
    for mutation in unit.mutations:
        match mutation:
            case Update(ttl_us=ttl_us):
                yield Feature.PARTIAL_UPDATE
                if ttl_us is not None:
                    yield Feature.ROW_TTL
            case Put(ttl_us=ttl_us):
                if ttl_us is not None:
                    yield Feature.ROW_TTL
            case DeleteRange():
                yield Feature.DELETE_RANGE
            case _:
                pass


def features_of(operation: Operation[object]) -> set[Feature]:
    """Return the features that an operation needs."""
    match operation:
        case WriteRows(units=units):
            return {feature for unit in units for feature in _features_of_unit(unit)}
        case QueryRows(reverse=True):
            return {Feature.REVERSE_QUERY}
        case ScanRows():
            return {Feature.SCAN}
        case ChangeCounters(changes=changes):
            return set() if all(isinstance(c, Increment) for c in changes) else {Feature.HOLDS}
        case ReadLog(start=FromTime()):
            return {Feature.READ_FROM_TIME}
        case _:
            return set()


def check_operation(operation: Operation[object], table: Table, has: Capabilities) -> None:
    """Refuse an operation that the table's kind or the adapter's capabilities do not cover.

    Raises:
        InvalidArgument: The table is of a kind that does not take the operation.
        Unsupported: The adapter did not declare a feature or a level that it needs.
    """
    if table.kind not in operation.kinds:
        takes = " or ".join(sorted(kind.value for kind in operation.kinds))
        raise InvalidArgument(
            f"{type(operation).__name__} needs a {takes} table, but {table.full_name} is a "
            f"{table.kind.value} table; call the service for {table.kind.value} tables",
            details={"table": table.full_name, "kind": table.kind.value},
        )
    missing = features_of(operation) - has.features
    if missing:
        names = ", ".join(sorted(feature.value for feature in missing))
        raise Unsupported(
            f"table {table.full_name} cannot do {names}: its adapter did not declare it; "
            "leave it out, or move the table to an adapter that can",
            details={"table": table.full_name, "missing": names},
        )
    _check_level(operation, table, has)


def _check_level(operation: Operation[object], table: Table, has: Capabilities) -> None:
    match operation:
        case GetRows() | QueryRows() | ScanRows() | GetCounters():
            level, levels, verb = operation.consistency.level, has.read_levels, "read"
        case WriteRows():
            level, levels, verb = operation.level, has.write_levels, "write"
        case _:
            return
    if level is not None and level not in levels:
        offered = ", ".join(known.name for known in sorted(levels)) or "none"
        raise Unsupported(
            f"table {table.full_name} cannot {verb} at {level.name}: "
            f"its adapter offers {offered}; ask for one of these",
            details={"table": table.full_name, "level": level.name, "offered": offered},
        )


def check_table(table: Table, has: Capabilities) -> list[str]:
    """Return why an adapter cannot serve a table, one sentence each; empty when it can."""
    reasons: list[str] = []
    if table.kind not in has.kinds:
        kinds = ", ".join(sorted(kind.value for kind in has.kinds))
        reasons.append(f"it serves no {table.kind.value} tables, only {kinds}")
    if table.kind is not Kind.LOG and table.read_level not in has.read_levels:
        reasons.append(f"it cannot read at {table.read_level.name}")
    if table.kind is not Kind.LOG and table.write_level not in has.write_levels:
        reasons.append(f"it cannot write at {table.write_level.name}")
    if table.ttl_us is not None:
        needed = Feature.RETENTION if table.kind is Kind.LOG else Feature.ROW_TTL
        if needed not in has.features:
            reasons.append(f"it cannot expire rows ({needed.value})")
    return reasons
