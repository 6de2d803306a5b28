"""Tables of the tests as table files, for gateways in processes of their own."""

from __future__ import annotations

import yaml

from taulu.model import Kind, Table


def as_yaml(table: Table) -> str:
    """Write a table as a storage engineer would."""
    columns = (
        *table.partition_key,
        *(clustering.column for clustering in table.clustering_key),
        *table.columns,
    )
    spec: dict[str, object] = {
        "kind": table.kind.value,
        "key": {
            "partition": [column.name for column in table.partition_key],
            "clustering": [
                {c.column.name: "desc" if c.descending else "asc"} for c in table.clustering_key
            ],
        },
        "columns": {column.name: str(column.type) for column in columns},
        "storage": {"adapter": table.storage, "options": dict(table.options)},
        "consistency": {"read": table.read_level.name, "write": table.write_level.name},
    }
    if table.kind is Kind.LOG:
        spec["partitions"] = table.log_partitions
    if table.ttl_us is not None:
        spec["ttl"] = f"{table.ttl_us}us"
    if table.bounds.ceiling is not None:
        spec["bounds"] = {"floor": table.bounds.floor, "ceiling": table.bounds.ceiling}
    if table.limits.partition_rows is not None:
        spec["limits"] = {"partition_rows": table.limits.partition_rows}
    document = {
        "apiVersion": "taulu/v1",
        "kind": "Table",
        "metadata": {"namespace": table.namespace, "name": table.name},
        "spec": spec,
    }
    return yaml.safe_dump(document)
