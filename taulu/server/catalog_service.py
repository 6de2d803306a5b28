"""`taulu.v1.CatalogService`: the tables that the gateway serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from taulu.gateway import Binding, Gateway
from taulu.model.errors import InvalidPageToken
from taulu.model.table import CachePolicy, Column, Kind, Table
from taulu.server.method import Call, Method
from taulu.v1 import catalog_pb2 as pb
from taulu.wire.facts import level_message
from taulu.wire.values import duration_message

SERVICE = "taulu.v1.CatalogService"
PAGE_TABLES_MAX = 200

_KINDS = {
    Kind.KV: pb.TABLE_KIND_KV,
    Kind.WIDE: pb.TABLE_KIND_WIDE,
    Kind.COUNTER: pb.TABLE_KIND_COUNTER,
    Kind.LOG: pb.TABLE_KIND_LOG,
}


@dataclass(frozen=True, slots=True)
class CatalogService:
    """Describes tables; they are fixed while a worker runs."""

    gateway: Gateway
    request_bytes_max: int

    def methods(self) -> list[Method[Any]]:
        """Return the service's methods."""
        return [
            Method(f"/{SERVICE}/ListTables", pb.ListTablesRequest, unary=self.list_tables),
            Method(f"/{SERVICE}/GetTable", pb.GetTableRequest, unary=self.get_table),
        ]

    async def list_tables(self, request: pb.ListTablesRequest, call: Call) -> pb.ListTablesResponse:
        """List tables by name; a page token is the name after which to go on."""
        del call
        bindings = self.gateway.bindings
        if request.page_token and request.page_token not in bindings:
            raise InvalidPageToken(
                "the page token is of another gateway; leave it out to begin again"
            )
        names = sorted(
            name
            for name, binding in bindings.items()
            if name > request.page_token and request.namespace in ("", binding.table.namespace)
        )
        size = request.page_size if 0 < request.page_size <= PAGE_TABLES_MAX else PAGE_TABLES_MAX
        page = names[:size]
        return pb.ListTablesResponse(
            tables=[self._table_message(bindings[name]) for name in page],
            next_page_token=page[-1] if len(names) > size else "",
        )

    async def get_table(self, request: pb.GetTableRequest, call: Call) -> pb.GetTableResponse:
        """Describe one table."""
        del call
        binding = self.gateway.binding(request.table)
        return pb.GetTableResponse(table=self._table_message(binding))

    def _table_message(self, binding: Binding) -> pb.Table:
        table = binding.table
        return pb.Table(
            name=table.full_name,
            kind=_KINDS[table.kind],
            owner=table.owner,
            doc=table.doc,
            columns=_columns(table),
            adapter=binding.adapter.name,
            capabilities=binding.adapter.capabilities_of(table).names(table.kind),
            read_consistency=level_message(table.read_level),
            write_consistency=level_message(table.write_level),
            ttl=None if table.ttl_us is None else duration_message(table.ttl_us),
            limits=self._limits(table),
            partition_count=table.log_partitions,
            cache=None if table.cache is None else self._cache(table.cache),
            max_staleness=None
            if table.staleness_us_max is None
            else duration_message(table.staleness_us_max),
        )

    def _cache(self, policy: CachePolicy) -> pb.CacheInfo:
        room = self.gateway.room
        skew_s = 0.0 if room is None else room.options.clock_skew_s
        return pb.CacheInfo(
            tiers=policy.tiers,
            ttl=duration_message(policy.ttl_us),
            negative_ttl=duration_message(policy.negative_ttl_us),
            staleness=duration_message(policy.staleness_us),
            columns=policy.columns,
            queries=policy.has_queries,
            write_through=policy.is_write_through,
            serve_stale_on_error=policy.serve_stale_on_error,
            clock_skew=duration_message(int(skew_s * 1e6)),
        )

    def _limits(self, table: Table) -> pb.TableLimits:
        limits = table.limits
        return pb.TableLimits(
            row_bytes=limits.row_bytes,
            batch_keys=limits.batch_keys,
            batch_units=limits.batch_units,
            unit_mutations=limits.unit_mutations,
            page_rows=limits.page_rows,
            page_bytes=limits.page_bytes,
            request_bytes=self.request_bytes_max,
            partition_rows=limits.partition_rows or 0,
        )


def _columns(table: Table) -> list[pb.Column]:
    described = [_column(c, pb.COLUMN_ROLE_PARTITION_KEY) for c in table.partition_key]
    for clustering in table.clustering_key:
        role = (
            pb.COLUMN_ROLE_CLUSTERING_DESCENDING
            if clustering.descending
            else pb.COLUMN_ROLE_CLUSTERING_ASCENDING
        )
        described.append(_column(clustering.column, role))
    return described + [_column(column, pb.COLUMN_ROLE_DATA) for column in table.columns]


def _column(column: Column, role: pb.ColumnRole) -> pb.Column:
    return pb.Column(name=column.name, type=str(column.type), role=role, doc=column.doc)
