"""What stored data depends on of its table, and whether a new description of the table fits it.

Columns are never forgotten: one that a description no longer has may still be in stored rows, so
its name stays bound to its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from taulu.model.errors import Corrupt, SchemaConflict
from taulu.model.table import Table

_COLUMNS = "columns"


@dataclass(frozen=True, slots=True)
class Shape:
    """What must not change of a table that holds data, spelled as in table files."""

    facts: Mapping[str, object]
    """By name, as JSON has them: those of every table, and the adapter's own."""
    columns: Mapping[str, str]
    """The types of the columns outside of the key, by name."""

    def to_json(self) -> str:
        """Spell the shape as `parse_shape` reads it."""
        return json.dumps({**self.facts, _COLUMNS: dict(sorted(self.columns.items()))})


def shape_of(table: Table, **own: str | int) -> Shape:
    """Return the shape that a description asks for, with the facts that are the adapter's own."""
    facts = {
        "kind": table.kind.value,
        **own,
        "partition_key": [f"{c.name} {c.type}" for c in table.partition_key],
        "clustering_key": [
            f"{c.column.name} {c.column.type} {'desc' if c.descending else 'asc'}"
            for c in table.clustering_key
        ],
        "log_partitions": table.log_partitions,
    }
    return Shape(facts, {c.name: str(c.type) for c in table.columns})


def parse_shape(text: str | bytes, table: Table, place: str) -> Shape:
    """Read a stored shape.

    Args:
        text: What `Shape.to_json` returned.
        table: Whose shape it is.
        place: Where it is stored, as said in a sentence.

    Raises:
        Corrupt: It is none.
    """
    try:
        facts = cast("dict[str, object]", json.loads(text))
        columns = cast("dict[str, str]", facts.pop(_COLUMNS))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(
            f"the stored description of {table.full_name} cannot be read: {error!r}; restore "
            f"{place} from a backup",
            details={"table": table.full_name},
        ) from error
    return Shape(facts, columns)


def merged_shape(table: Table, stored: Shape, wanted: Shape, place: str) -> Shape:
    """Return the stored shape with the columns that are new.

    Args:
        table: The table as it is described.
        stored: The shape of its data.
        wanted: The shape that the description asks for.
        place: Where the data is, as said in a sentence.

    Raises:
        SchemaConflict: The two do not fit; the message names every difference and what to do.
    """
    differences = [
        f"{name.replace('_', ' ')} is {_spell(stored.facts.get(name))} in {place} and "
        f"{_spell(fact)} in the description"
        for name, fact in wanted.facts.items()
        if stored.facts.get(name) != fact
    ]
    differences += [
        f"column {name} is {stored.columns[name]} in {place} and {new} in the description"
        for name, new in wanted.columns.items()
        if stored.columns.get(name, new) != new
    ]
    check_fits(table, differences)
    return replace(stored, columns={**stored.columns, **wanted.columns})


def _spell(fact: object) -> str:
    return f"[{', '.join(cast('list[str]', fact))}]" if isinstance(fact, list) else str(fact)


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
