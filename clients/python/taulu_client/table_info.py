"""What the gateway says of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from taulu.model.consistency import Level
from taulu.v1 import catalog_pb2 as pb
from taulu.wire.values import duration_us

_KINDS = {
    pb.TABLE_KIND_KV: "kv",
    pb.TABLE_KIND_WIDE: "wide",
    pb.TABLE_KIND_COUNTER: "counter",
    pb.TABLE_KIND_LOG: "log",
}
_ROLES = {
    pb.COLUMN_ROLE_PARTITION_KEY: "partition",
    pb.COLUMN_ROLE_CLUSTERING_ASCENDING: "clustering asc",
    pb.COLUMN_ROLE_CLUSTERING_DESCENDING: "clustering desc",
    pb.COLUMN_ROLE_DATA: "data",
}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column of a table."""

    name: str
    type: str
    """As table YAML spells it, for instance `list<string>`."""
    role: str
    """`partition`, `clustering asc`, `clustering desc` or `data`."""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table as the gateway describes it."""

    name: str
    kind: str
    """`kv`, `wide`, `counter` or `log`."""
    columns: tuple[ColumnInfo, ...]
    """In declared order: partition key, clustering key, the others."""
    adapter: str
    capabilities: tuple[str, ...]
    read_level: Level
    write_level: Level
    ttl: timedelta | None
    limits: dict[str, int]
    """By name, as in the table's YAML, and `request_bytes` of the gateway."""
    partition_count: int
    """Of `log` tables."""
    owner: str = ""
    doc: str = ""


def table_info(message: pb.Table) -> TableInfo:
    """Return a table's description."""
    return TableInfo(
        name=message.name,
        kind=_KINDS[message.kind],
        columns=tuple(
            ColumnInfo(column.name, column.type, _ROLES[column.role], column.doc)
            for column in message.columns
        ),
        adapter=message.adapter,
        capabilities=tuple(message.capabilities),
        read_level=Level(message.read_consistency),
        write_level=Level(message.write_consistency),
        ttl=timedelta(microseconds=duration_us(message.ttl)) if message.HasField("ttl") else None,
        limits={limit.name: value for limit, value in message.limits.ListFields()},
        partition_count=message.partition_count,
        owner=message.owner,
        doc=message.doc,
    )
