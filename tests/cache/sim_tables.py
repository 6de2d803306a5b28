"""The tables of a simulation: one for each way of being cached that the contract tells apart."""

from __future__ import annotations

from dataclasses import replace

from taulu.model import CachePolicy, Column, ColumnType, Kind, Level, Table, TypeName
from taulu.model.table import ClusteringColumn

BOUND_US = 1_000_000
CLUSTERING = ("1", "2", "3", "4", "5")

_LONG = CachePolicy(("near", "shared"), 30_000_000, 20_000_000, BOUND_US)
"""Entries that outlive the bound by far, on the strength of the channel."""

_STRING, _INT = ColumnType(TypeName.STRING), ColumnType(TypeName.INT64)


def _table(
    name: str, cache: CachePolicy, *, is_wide: bool = False, ttl_us: int | None = None
) -> Table:
    return Table(
        namespace="sim",
        name=name,
        kind=Kind.WIDE if is_wide else Kind.KV,
        partition_key=(Column("id", _STRING),),
        clustering_key=(ClusteringColumn(Column("at", _STRING)),) if is_wide else (),
        columns=(Column("n", _INT),),
        storage="model",
        read_level=Level.EVENTUAL,
        staleness_us_max=BOUND_US,
        ttl_us=ttl_us,
        cache=cache,
    )


TABLES = (
    _table("brief", CachePolicy(("near", "shared"), 700_000, 500_000, BOUND_US)),
    _table("long", _LONG),
    _table("near", CachePolicy(("near",), 30_000_000, 20_000_000, BOUND_US)),
    _table("shared", CachePolicy(("shared",), 30_000_000, 20_000_000, BOUND_US)),
    _table("through", CachePolicy(("near",), 30_000_000, 0, BOUND_US, is_write_through=True)),
    _table(
        "wide",
        CachePolicy(("near", "shared"), 30_000_000, 20_000_000, BOUND_US, has_queries=True),
        is_wide=True,
    ),
)
"""The tables that a scenario uses which names none."""

STALE = _table("stale", CachePolicy(("near",), 8_000_000, 0, BOUND_US, serve_stale_on_error=True))
"""One that gives an old copy rather than an error."""

EXPIRING = _table("expiring", _LONG, ttl_us=6_000_000)
EXPIRING_WIDE = _table(
    "expiring wide", replace(_LONG, has_queries=True), is_wide=True, ttl_us=6_000_000
)
"""Two whose rows expire, each after a time of its own up to the table's."""

OTHERS = (STALE, EXPIRING, EXPIRING_WIDE)
"""The tables that a scenario uses only when it names them."""
