"""Whether a condition of a write holds, for adapters that decide in Python."""

from __future__ import annotations

from collections.abc import Mapping

from taulu.model.errors import ConditionFailed
from taulu.model.operation import Condition, IfAbsent, IfColumns, IfPresent, IfVersion
from taulu.model.table import Table
from taulu.model.value import Value


def check_condition(
    table: Table,
    index: int,
    condition: Condition,
    version: int | None,
    columns: Mapping[str, Value],
) -> None:
    """Refuse a unit of which one condition does not hold.

    Args:
        table: The table of the row.
        index: Which condition of the unit it is.
        condition: What is asked of the row.
        version: That of the row; None when there is none, or it has expired.
        columns: What the row has set, at least of the columns that the condition names.

    Raises:
        ConditionFailed: It does not hold.
    """
    match condition:
        case IfAbsent():
            holds = version is None
        case IfPresent():
            holds = version is not None
        case IfVersion(version=wanted):
            holds = version == wanted
        case IfColumns(columns=wanted):
            holds = version is not None and all(
                columns.get(name) == value for name, value in wanted.items()
            )
    if not holds:
        raise condition_failed(table, index, condition, version)


def condition_failed(
    table: Table, index: int, condition: Condition, version: int | None
) -> ConditionFailed:
    """Return what is said of a condition that does not hold; see `check_condition`."""
    match condition:
        case IfAbsent():
            wanted = "the row to be absent"
        case IfPresent():
            wanted = "the row to be present"
        case IfVersion():
            wanted = f"the row to have version {condition.version}"
        case IfColumns(columns=columns):
            wanted = f"the row to have the given values of {', '.join(sorted(columns))}"
    found = "it is absent" if version is None else f"it has version {version}"
    return ConditionFailed(
        f"condition {index} on {table.full_name} wants {wanted}, but {found}; read the row again, "
        "then decide",
        details={"index": str(index), "version": str(version or 0)},
    )
