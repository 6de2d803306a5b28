"""PostgreSQL: what stands in the database, for psql, for the planner and for other gateways."""

from __future__ import annotations

import asyncio
import math
from array import array
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from taulu.conformance.row_promises import ALL_TYPES
from taulu.model import (
    Bound,
    ClusteringRange,
    Column,
    ColumnType,
    Key,
    Put,
    SchemaConflict,
    Table,
    TypeName,
    Update,
    Value,
)
from taulu.spi import Environment
from taulu_postgres import PostgresAdapter, row_statements
from taulu_postgres._driver import Call
from tests.integration.postgres_parts import opened, own_tables, put, row, write
from tests.testbed.postgres_server import PostgresServer

pytestmark = pytest.mark.xdist_group("postgres")

_INT = ColumnType(TypeName.INT64)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _list(element: ColumnType) -> ColumnType:
    return ColumnType(TypeName.LIST, element=element)


def _map(element: ColumnType) -> ColumnType:
    return ColumnType(TypeName.MAP, element=element)


def _scalar(name: TypeName) -> ColumnType:
    return ColumnType(name)


async def test_psql_reads_rows_as_they_were_written(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    async with opened(postgres, items) as adapter:
        await put(adapter, items, Key(("a",)), ALL_TYPES)
    shown = postgres.psql(
        "SELECT id, flag, count, ratio, price, blob, at AT TIME ZONE 'UTC', ref, point, tags, "
        f"amounts, _expire IS NULL FROM {items.namespace}.items"
    )
    assert shown == (
        "a|t|-9223372036854775808|-0.1|-12345678901234567890.000100|"
        rf"\x{bytes(range(256)).hex()}|1969-12-31 23:59:59.999999|"
        '00112233-4455-6677-8899-aabbccddeeff|{0.5,-1.25,3.0000001e+10}|{"",b,a,b}|'
        '{"": 0, "x": 9223372036854775807}|t'
    )


async def test_values_at_the_edges_of_every_type_come_back(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    edges: dict[str, tuple[ColumnType, Value]] = {
        "low": (_scalar(TypeName.TIMESTAMP), datetime.min.replace(tzinfo=UTC)),
        "high": (_scalar(TypeName.TIMESTAMP), datetime.max.replace(tzinfo=UTC)),
        "infinite": (_scalar(TypeName.FLOAT64), -math.inf),
        "minus": (_scalar(TypeName.FLOAT64), -0.0),
        "tiny": (_scalar(TypeName.FLOAT64), 5e-324),
        "scale": (_scalar(TypeName.DECIMAL), Decimal("1.000")),
        "nulls": (_scalar(TypeName.STRING), "\x00\x01\x02\x00"),
        "ints": (_list(_INT), [-(2**63), 0, 2**63 - 1]),
        "none": (_list(_INT), []),
        "flags": (_list(_scalar(TypeName.BOOL)), [True, False]),
        "floats": (_list(_scalar(TypeName.FLOAT64)), [0.1, math.inf, 1e308]),
        "prices": (_list(_scalar(TypeName.DECIMAL)), [Decimal("0.10"), Decimal("1E-38")]),
        "texts": (_list(_scalar(TypeName.STRING)), ["", "NULL", "\x00", 'a"b\\', "{,}"]),
        "blobs": (_list(_scalar(TypeName.BYTES)), [b"", b"\x00\xff\\"]),
        "times": (_list(_scalar(TypeName.TIMESTAMP)), [datetime.max.replace(tzinfo=UTC)]),
        "refs": (_list(_scalar(TypeName.UUID)), [UUID(int=1)]),
        "grid": (_list(_list(_INT)), [[1], [], [2, 3]]),
        "points": (_list(ColumnType(TypeName.VECTOR, size=2)), [array("f", [0.1, 3e38])]),
        "empty": (_map(_INT), {}),
        "odd": (_map(_scalar(TypeName.STRING)), {"\x00": "\x00\x01", "": "\u00e9\U0001f9ea"}),
        "exact": (_map(_scalar(TypeName.DECIMAL)), {"a": Decimal("-0.000100")}),
        "doubles": (_map(_scalar(TypeName.FLOAT64)), {"a": 1e308, "b": -0.0, "c": math.inf}),
        "bytes": (_map(_scalar(TypeName.BYTES)), {"a": b"\x00\xff"}),
        "moments": (_map(_scalar(TypeName.TIMESTAMP)), {"a": datetime(1, 1, 1, tzinfo=UTC)}),
        "ids": (_map(_scalar(TypeName.UUID)), {"a": UUID(int=2**127)}),
        "deep": (_map(_list(_map(_INT))), {"a": [{"b": 2**63 - 1}, {}]}),
    }
    columns = tuple(Column(name, column_type) for name, (column_type, _) in edges.items())
    described = replace(items, columns=columns)
    given = {name: value for name, (_, value) in edges.items()}
    async with opened(postgres, described) as adapter:
        await put(adapter, described, Key(("a",)), given)
        read = await row(adapter, described, Key(("a",)))
    assert read is not None
    assert dict(read.columns) == given
    assert repr(read.columns["minus"]) == "-0.0"
    assert repr(read.columns["doubles"]) == repr(given["doubles"])
    assert repr(read.columns["exact"]) == repr(given["exact"])
    assert repr(read.columns["prices"]) == repr(given["prices"])


async def test_columns_can_be_added_and_an_older_gateway_keeps_or_clears_them(
    postgres: PostgresServer,
) -> None:
    (old,) = own_tables("items")
    new = replace(old, columns=(*old.columns, Column("later", _INT)))
    kept, cleared = Key(("kept",)), Key(("cleared",))
    async with opened(postgres, old):
        pass
    async with opened(postgres, new) as newer, opened(postgres, old) as older:
        for key in (kept, cleared):
            await put(newer, new, key, {"count": 1, "later": 7})
        await write(older, old, Update(kept, {"count": 2}))
        await write(older, old, Put(cleared, {"count": 2}))
        found = [await row(newer, new, key) for key in (kept, cleared)]
    assert [dict(read.columns) for read in found if read] == [
        {"count": 2, "later": 7},
        {"count": 2},
    ]


async def test_a_description_that_does_not_fit_the_database_is_refused(
    postgres: PostgresServer,
) -> None:
    (orders,) = own_tables("orders")
    async with opened(postgres, orders):
        pass
    turned = replace(
        orders,
        clustering_key=tuple(replace(c, descending=False) for c in orders.clustering_key),
        columns=(Column("count", ColumnType(TypeName.STRING)),),
    )
    with pytest.raises(SchemaConflict) as refused:
        async with opened(postgres, turned):
            pass
    differences = refused.value.details["differences"]
    assert "clustering key is [day int64 desc, name string asc]" in differences
    assert "column count is [int64] in the database and [string]" in differences
    doctor = PostgresAdapter.create(postgres.options(), Environment())
    wrong = [finding.what for finding in await doctor.examine([orders, turned]) if not finding.ok]
    assert wrong == [refused.value.message]


async def test_a_table_that_taulu_did_not_make_is_left_alone(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    postgres.psql(f"CREATE SCHEMA {items.namespace}")
    postgres.psql(f"CREATE TABLE {items.namespace}.items (theirs text)")
    with pytest.raises(SchemaConflict, match="was not made by Taulu") as refused:
        async with opened(postgres, items):
            pass
    doctor = PostgresAdapter.create(postgres.options(), Environment())
    wrong = [finding.what for finding in await doctor.examine([items]) if not finding.ok]
    assert wrong == [refused.value.message]
    assert postgres.psql(f"SELECT count(*) FROM {items.namespace}.items") == "0"


async def test_gateways_that_start_together_prepare_one_table(postgres: PostgresServer) -> None:
    tables = own_tables("items", "credits", "events")
    new_schema = {"schema": f"s{tables[0].namespace}"}

    async def start() -> None:
        async with opened(postgres, *tables, options=new_schema):
            pass

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(start())
    assert postgres.psql(f"SELECT count(*) FROM {new_schema['schema']}.tables") == "3"


@pytest.mark.parametrize("is_reverse", [False, True])
async def test_a_page_of_mixed_directions_is_a_walk_along_the_index(
    is_reverse: bool, postgres: PostgresServer
) -> None:
    (orders,) = own_tables("orders")
    async with opened(postgres, orders) as adapter:
        name = f"{orders.namespace}.orders"
        postgres.psql(
            f"INSERT INTO {name} (owner, day, name, _version, _slot) "
            "SELECT 'a', n / 100, n::text, 1, 0 FROM generate_series(1, 20000) AS n"
        )
        postgres.psql(f"ANALYZE {name}")
        span = ClusteringRange(Bound((150, "15050"), exclusive=True), Bound((20, "2001")))
        plan = await _plan_of_page(adapter, orders, (span, is_reverse))
    assert "Seq Scan" not in plan
    assert "Sort Key" not in plan or "Merge Append" in plan
    assert plan.count("orders$key") == 3
    # Whatever the bounds leave out is never read: the limit and the boxes are all that is.
    assert "Rows Removed by Filter" not in plan
    assert "Index Cond: ((owner = 'a'::text) AND (day = '150'::bigint) AND (name >" in plan


async def _plan_of_page(
    adapter: PostgresAdapter, table: Table, spans: tuple[ClusteringRange, bool]
) -> str:
    stored = adapter._stored[table.full_name]
    call = row_statements.query(stored, ("a",), spans, (("count",), 101, _NOW))
    explain = Call(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {call.text}", call.values)
    async with adapter._database.pool.connection(adapter._clock.monotonic() + 10) as connection:
        await connection.ask([Call("SET plan_cache_mode = force_custom_plan")], 10)
        (lines,) = await connection.ask([explain], 10)
    return "\n".join(line for (line,) in lines)
