"""The tables that the suite runs on."""

from __future__ import annotations

from dataclasses import replace

from taulu.model import (
    Bounds,
    ClusteringColumn,
    Column,
    ColumnType,
    Kind,
    Limits,
    Table,
    TypeName,
)
from taulu.spi import Capabilities, check_table

STORAGE = "subject"
"""The storage target of every table here."""

TTL_S = 60
"""How long rows of `SHORT`, and records of `SHORT_LOG`, live."""
PARTITION_ROWS = 5
CEILING = 100
LOG_PARTITIONS = 4


def _column(name: str, type_name: TypeName) -> Column:
    return Column(name, ColumnType(type_name))


_STRING = ColumnType(TypeName.STRING)
_VALUES = (
    _column("flag", TypeName.BOOL),
    _column("count", TypeName.INT64),
    _column("ratio", TypeName.FLOAT64),
    _column("price", TypeName.DECIMAL),
    _column("text", TypeName.STRING),
    _column("blob", TypeName.BYTES),
    _column("at", TypeName.TIMESTAMP),
    _column("ref", TypeName.UUID),
    Column("point", ColumnType(TypeName.VECTOR, size=3)),
    Column("tags", ColumnType(TypeName.LIST, element=_STRING)),
    Column("amounts", ColumnType(TypeName.MAP, element=ColumnType(TypeName.INT64))),
)
_SCALARS = (
    TypeName.BOOL,
    TypeName.INT64,
    TypeName.STRING,
    TypeName.BYTES,
    TypeName.TIMESTAMP,
    TypeName.UUID,
)

_ITEMS = Table(
    namespace="conformance",
    name="items",
    kind=Kind.KV,
    partition_key=(_column("id", TypeName.STRING),),
    columns=_VALUES,
    storage=STORAGE,
)
_ORDERS = Table(
    namespace="conformance",
    name="orders",
    kind=Kind.WIDE,
    partition_key=(_column("owner", TypeName.STRING),),
    clustering_key=(
        ClusteringColumn(_column("day", TypeName.INT64), descending=True),
        ClusteringColumn(_column("name", TypeName.STRING)),
    ),
    columns=(_column("count", TypeName.INT64), _column("text", TypeName.STRING)),
    storage=STORAGE,
)
_CREDITS = Table(
    namespace="conformance",
    name="credits",
    kind=Kind.COUNTER,
    partition_key=(_column("account", TypeName.STRING),),
    storage=STORAGE,
)
_EVENTS = Table(
    namespace="conformance",
    name="events",
    kind=Kind.LOG,
    partition_key=(_column("source", TypeName.STRING),),
    columns=(_column("count", TypeName.INT64), _column("text", TypeName.STRING)),
    log_partitions=LOG_PARTITIONS,
    storage=STORAGE,
)

ITEMS = _ITEMS.full_name
SHORT = "conformance.short"
BINARY = "conformance.binary"
TYPED_KEYS = "conformance.typed_keys"
ORDERS = _ORDERS.full_name
SMALL_ORDERS = "conformance.small_orders"
CREDITS = _CREDITS.full_name
BOUNDED = "conformance.bounded"
EVENTS = _EVENTS.full_name
SHORT_LOG = "conformance.short_log"

CONFORMANCE_TABLES: tuple[Table, ...] = (
    _ITEMS,
    replace(_ITEMS, name="short", ttl_us=TTL_S * 1_000_000),
    replace(_ITEMS, name="binary", partition_key=(_column("id", TypeName.BYTES),)),
    replace(
        _ORDERS,
        name="typed_keys",
        clustering_key=tuple(
            ClusteringColumn(_column(f"{scalar.value}_{order}", scalar), order == "down")
            for scalar in _SCALARS
            for order in ("up", "down")
        ),
    ),
    _ORDERS,
    replace(_ORDERS, name="small_orders", limits=Limits(partition_rows=PARTITION_ROWS)),
    _CREDITS,
    replace(_CREDITS, name="bounded", bounds=Bounds(floor=0, ceiling=CEILING)),
    _EVENTS,
    replace(_EVENTS, name="short_log", ttl_us=TTL_S * 1_000_000),
)
"""Every table of the suite; `tables_for` leaves out what a subject does not serve."""


def tables_for(capabilities: Capabilities) -> list[Table]:
    """Return the tables that a subject declares it can serve, at levels that it offers."""
    tables: list[Table] = []
    for table in CONFORMANCE_TABLES:
        fitted = replace(
            table,
            read_level=max(capabilities.read_levels),
            write_level=max(capabilities.write_levels),
        )
        if not check_table(fitted, capabilities):
            tables.append(fitted)
    return tables
