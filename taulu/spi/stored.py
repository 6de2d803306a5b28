"""A table as it is described, against how it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from taulu.model.errors import SchemaConflict
from taulu.model.table import Table


def check_fits(table: Table, differences: Sequence[str]) -> None:
    """Refuse a table that does not fit what is stored under its name.

    Args:
        table: The table as it is described.
        differences: What differs, one clause each; none when it fits.

    Raises:
        SchemaConflict: The message names every difference and what to do.
    """
    if not differences:
        return
    listed = "; ".join(differences)
    raise SchemaConflict(
        f"table {table.full_name} does not fit what is stored: {listed}. "
        "Describe it as it is stored; give a changed column a new name; or give the table "
        "a new name and copy its data",
        details={"table": table.full_name, "differences": listed},
    )
