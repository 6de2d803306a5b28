"""Where the tables live: all in one embedded file, or each on the backend that suits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from taulu_refunds.failure import JobError
from taulu_refunds.stores import tables_folder

EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Placement:
    """Storage targets, and which table goes to which of them."""

    storage: Mapping[str, Mapping[str, object]]
    """The `storage` block of the gateway's settings."""
    tables: Mapping[str, str] = field(default_factory=dict[str, str])
    """A target's name by full table name; who is not named stays on the embedded store."""
    options: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict[str, "Mapping[str, object]"]
    )
    """`storage.options` by full table name."""

    @property
    def in_words(self) -> str:
        """Say where the tables live, for people."""
        if not self.tables:
            return "a fresh embedded store"
        count = len(self.tables)
        targets = sorted(set(self.tables.values()))
        return f"{count} table{'s' if count > 1 else ''} on " + ", ".join(targets)


ALL_EMBEDDED = Placement({EMBEDDED: {"adapter": EMBEDDED, "path": "store/taulu.db"}})


def read_placement(path: Path | None) -> Placement:
    """Return the placement that a YAML file describes; all on the embedded store without one.

    Raises:
        JobError: The file is not there, or is no placement.
    """
    if path is None:
        return ALL_EMBEDDED
    try:
        read = cast(object, yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise JobError(f"the placement {path} cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise JobError(f"the placement {path} is no mapping with `storage` and `tables`")
    parts = cast("dict[str, Any]", read)
    unknown = parts.keys() - {"storage", "tables", "options"}
    if unknown or "storage" not in parts:
        raise JobError(f"the placement {path} has `storage`, `tables`, `options`, and no other")
    storage = {**ALL_EMBEDDED.storage, **parts["storage"]}
    return Placement(storage, parts.get("tables", {}), parts.get("options", {}))


def place_tables(placement: Placement, folder: Path) -> None:
    """Write the tables' YAML into a folder, each with its target: one word changes.

    Raises:
        JobError: The placement names a table that the job does not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left = set(placement.tables)
    for path in sorted(tables_folder().glob("*.yaml")):
        documents = list(yaml.safe_load_all(path.read_text()))
        for document in documents:
            name = f"{document['metadata']['namespace']}.{document['metadata']['name']}"
            target = placement.tables.get(name, EMBEDDED)
            document["spec"]["storage"] = {"adapter": target}
            if name in placement.options:
                document["spec"]["storage"]["options"] = dict(placement.options[name])
            left.discard(name)
        (folder / path.name).write_text(yaml.safe_dump_all(documents, sort_keys=False))
    if left:
        raise JobError(f"the placement names tables that the job does not have: {sorted(left)}")
