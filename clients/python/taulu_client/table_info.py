"""What the gateway says of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

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
class CacheInfo:
    """How a table's rows may be cached."""

    tiers: tuple[str, ...]
    """Of the gateway: `near`, `shared` or both."""
    ttl: timedelta
    negative_ttl: timedelta
    """Zero when absence is not remembered."""
    staleness: timedelta
    """The bound: how long an acknowledged write may stay unseen by any reader."""
    columns: tuple[str, ...] = ()
    """Columns that may be cached; empty means all."""
    queries: bool = False
    write_through: bool = False
    serve_stale_on_error: bool = False
    clock_skew: timedelta = timedelta(0)
    """How far the clocks of two gateways may lie apart."""


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
    cache: CacheInfo | None = None
    """None when the table is not cached."""
    max_staleness: timedelta | None = None
    """The bound of BOUNDED_STALENESS reads that name none."""


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
        ttl=_time(message.ttl) if message.HasField("ttl") else None,
        limits={limit.name: value for limit, value in message.limits.ListFields()},
        partition_count=message.partition_count,
        owner=message.owner,
        doc=message.doc,
        cache=_cache_info(message.cache) if message.HasField("cache") else None,
        max_staleness=_time(message.max_staleness) if message.HasField("max_staleness") else None,
    )


def _cache_info(message: pb.CacheInfo) -> CacheInfo:
    return CacheInfo(
        tiers=tuple(message.tiers),
        ttl=_time(message.ttl),
        negative_ttl=_time(message.negative_ttl),
        staleness=_time(message.staleness),
        columns=tuple(message.columns),
        queries=message.queries,
        write_through=message.write_through,
        serve_stale_on_error=message.serve_stale_on_error,
        clock_skew=_time(message.clock_skew),
    )


def _time(message: Duration) -> timedelta:
    return timedelta(microseconds=duration_us(message))
