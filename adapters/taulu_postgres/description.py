"""How each table was described when its data was written, and whether a new description fits.

Columns are never forgotten: one that a description no longer has is still in the table, so its
name stays bound to its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from taulu.model import Corrupt, SchemaConflict, Table
from taulu.spi import check_fits

Description = Mapping[str, str]
"""What must not change, spelled as in table files, by what it is called in messages."""

_COLUMN = "column "


def describe(table: Table) -> Description:
    """Return what a table's stored data depends on."""
    clustering = (
        f"{c.column.name} {c.column.type} {'desc' if c.descending else 'asc'}"
        for c in table.clustering_key
    )
    return {
        "kind": table.kind.value,
        "partition key": ", ".join(f"{c.name} {c.type}" for c in table.partition_key),
        "clustering key": ", ".join(clustering),
        "number of log partitions": str(table.log_partitions),
        **{_COLUMN + column.name: str(column.type) for column in table.columns},
    }


def columns_of(description: Description) -> dict[str, str]:
    """Return the types of all columns outside of the key, by name."""
    return {
        what.removeprefix(_COLUMN): spelled
        for what, spelled in description.items()
        if what.startswith(_COLUMN)
    }


def parse_description(text: str, table: Table) -> Description:
    """Read a stored description.

    Raises:
        Corrupt: It is none.
    """
    try:
        return {str(k): str(v) for k, v in cast("dict[str, object]", json.loads(text)).items()}
    except (ValueError, AttributeError) as error:
        raise Corrupt(
            f"the stored description of {table.full_name} cannot be read: {error!r}; restore "
            "the database from a backup",
            details={"table": table.full_name},
        ) from error


def merged(table: Table, stored: Description, wanted: Description) -> Description:
    """Return the stored description with the columns that are new.

    Raises:
        SchemaConflict: The message names every difference and what to do.
    """
    differences = [
        f"{what} is [{stored[what]}] in the database and [{spelled}] in the description"
        for what, spelled in wanted.items()
        if stored.get(what, spelled) != spelled
    ]
    check_fits(table, differences)
    return {**stored, **wanted}


def stranger(table: Table, name: str) -> SchemaConflict:
    """Return the refusal of a table that is there and that Taulu did not make."""
    return SchemaConflict(
        f"table {table.full_name} would be kept in {name}, which is there already and was not "
        "made by Taulu; rename one of them, or set `schema_prefix` of the storage target",
        details={"table": table.full_name, "name": name},
    )
