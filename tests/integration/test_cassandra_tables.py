"""What the adapter leaves in Cassandra, read by a bare driver; and what it makes of tables."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import dict_factory

from taulu.conformance.row_promises import ALL_TYPES
from taulu.model import (
    WHOLE_PARTITION,
    AppendRecords,
    Bound,
    ChangeCounters,
    Changed,
    ClusteringRange,
    Column,
    ColumnType,
    Delete,
    GetRows,
    Increment,
    Key,
    LimitExceeded,
    NewRecord,
    Page,
    Put,
    QueryRows,
    Reserve,
    Row,
    ScanRows,
    SchemaConflict,
    Table,
    TypeName,
    Unavailable,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Environment, Finding
from taulu_cassandra import CassandraAdapter
from tests.integration.cassandra_parts import (
    PATIENCE_S,
    PREFIX,
    SERIAL,
    Options,
    fresh,
    opened,
    put,
    soon,
    token,
)
from tests.testbed.cassandra_cluster import SYNCED_LATER, cassandra_cluster

pytestmark = pytest.mark.xdist_group("cassandra")


@pytest.fixture
def cql(cassandra_node: Options) -> Generator[Session]:
    """A session of the driver alone, as cqlsh has one."""
    profile = ExecutionProfile(
        row_factory=dict_factory,
        request_timeout=PATIENCE_S,
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy("dc1")),
    )
    cluster = Cluster(
        cassandra_node["contact_points"],
        port=cassandra_node["port"],
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=PATIENCE_S,  # type: ignore[arg-type] - a float will do
        control_connection_timeout=PATIENCE_S,
    )
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


async def test_rows_are_legible_in_typed_columns(cassandra_node: Options, cql: Session) -> None:
    plain, serial = fresh("items"), fresh("items", write_level=SERIAL)
    async with opened(cassandra_node, plain, serial) as adapter:
        for table in (plain, serial):
            written = await put(adapter, table, Put(Key(("a",)), ALL_TYPES, None))
            (row,) = cql.execute(f"SELECT * FROM {PREFIX}own.{table.name}")
            assert row["id"] == "a"
            assert row["count"] == ALL_TYPES["count"]
            assert str(row["price"]) == "-12345678901234567890.000100"
            assert row["ref"] == ALL_TYPES["ref"]
            assert row["at"] == -1
            assert list(row["tags"]) == ALL_TYPES["tags"]
            assert dict(row["amounts"]) == ALL_TYPES["amounts"]
            assert row["point"] == list(ALL_TYPES["point"])
            assert row["_version"] == written.version


async def test_a_plain_row_is_written_at_the_time_of_its_token(
    cassandra_node: Options, cql: Session
) -> None:
    table = fresh("orders")
    async with opened(cassandra_node, table) as adapter:
        own = token()
        await put(adapter, table, Put(Key(("a",), (1, "x")), {"count": 5}), token=own)
        (row,) = cql.execute(
            f"SELECT writetime(count) AS at, count, day FROM {PREFIX}own.{table.name}"
        )
        assert row == {"at": own.create_time_us, "count": 5, "day": 1}


async def test_a_row_that_expires_leaves_cassandra_some_time_after(
    cassandra_node: Options, cql: Session
) -> None:
    plain, serial = fresh("short"), fresh("short", write_level=SERIAL)
    async with opened(cassandra_node, plain, serial) as adapter:
        for table in (plain, serial):
            await put(adapter, table, Put(Key(("a",)), {"count": 1}))
            (row,) = cql.execute(f"SELECT ttl(count) AS s FROM {PREFIX}own.{table.name}")
            assert 86_400 < row["s"] <= 86_400 + 62


async def test_counters_and_holds_are_legible(cassandra_node: Options, cql: Session) -> None:
    table = fresh("bounded")
    async with opened(cassandra_node, table) as adapter:
        key = Key(("a",))
        changes = (Increment(key, 7, token()), Reserve(key, 3, "h1", 60_000_000, token()))
        done = await adapter.execute(ChangeCounters(table.full_name, changes), soon())
        assert all(isinstance(outcome, Changed) for outcome in done.outcomes)
        (row,) = cql.execute(f"SELECT * FROM {PREFIX}own.{table.name}")
        assert (row["account"], row["_value"], row["_hold"], row["_amount"]) == ("a", 7, "h1", 3)


async def test_records_are_legible_at_once(cassandra_node: Options, cql: Session) -> None:
    table = fresh("events")
    async with opened(cassandra_node, table) as adapter:
        records = [NewRecord(("s",), {"count": n}, token()) for n in range(3)]
        await adapter.execute(AppendRecords(table.full_name, tuple(records)), soon())
        rows = cql.execute(f'SELECT "_offset", source, count FROM {PREFIX}own.{table.name}')
        assert [tuple(row.values()) for row in rows] == [(n, "s", n) for n in range(3)]


async def test_compaction_and_grace_follow_from_the_description(
    cassandra_node: Options, cql: Session
) -> None:
    own = {"compaction": {"class": "LeveledCompactionStrategy"}, "gc_grace_seconds": 3600}
    tables = {
        "UnifiedCompactionStrategy": fresh("orders"),
        "TimeWindowCompactionStrategy": fresh("short_log"),
        "LeveledCompactionStrategy": fresh("orders", options=own),
    }
    async with opened(cassandra_node, *tables.values()):
        for strategy, table in tables.items():
            (row,) = cql.execute(
                "SELECT compaction, gc_grace_seconds FROM system_schema.tables "
                f"WHERE keyspace_name = '{PREFIX}own' AND table_name = '{table.name}'"
            )
            assert row["compaction"]["class"].endswith(strategy)
            assert row["gc_grace_seconds"] == (3600 if table.options else 864_000)


async def test_several_gateways_make_one_table_at_once(cassandra_node: Options) -> None:
    table = fresh("orders", write_level=SERIAL)
    async with AsyncExitStack() as stack:
        adapters = [await stack.enter_async_context(opened(cassandra_node)) for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            for adapter in adapters:
                group.create_task(adapter.prepare(table))
        for number, adapter in enumerate(adapters):
            await put(adapter, table, Put(Key(("a",), (number, "")), {"count": number}))


async def test_a_description_that_does_not_fit_is_refused_with_each_difference(
    cassandra_node: Options,
) -> None:
    table = fresh("orders")
    other = replace(
        table,
        partition_key=(Column("owner", ColumnType(TypeName.BYTES)),),
        columns=(Column("count", ColumnType(TypeName.TIMESTAMP)),),
    )
    async with opened(cassandra_node, table) as adapter:
        with pytest.raises(SchemaConflict) as refused:
            await adapter.prepare(other)
        assert "partition key" in refused.value.message
        # Both are `bigint` to Cassandra.
        assert "column count is int64" in refused.value.message
    settings = {**cassandra_node, "keyspace_prefix": PREFIX}
    findings = await examined(settings, table, other, fresh("orders"))
    assert [finding.what for finding in findings if not finding.ok] == [refused.value.message]


async def test_columns_can_be_added(cassandra_node: Options) -> None:
    table = fresh("orders")
    wider = replace(table, columns=(*table.columns, Column("seen", ColumnType(TypeName.UUID))))
    seen = uuid4()
    async with opened(cassandra_node, table) as adapter:
        await put(adapter, table, Put(Key(("a",), (1, "x")), {"count": 1}))
    async with opened(cassandra_node, wider) as adapter:
        await put(adapter, wider, Put(Key(("a",), (1, "y")), {"seen": seen}))
        page = Page(10, 10_000)
        found = await adapter.execute(QueryRows(wider.full_name, ("a",), page), soon())
        assert [dict(row.columns) for row in found.rows] == [{"count": 1}, {"seen": seen}]


async def test_a_table_is_never_kept_in_both_ways(cassandra_node: Options) -> None:
    table = fresh("items")
    async with opened(cassandra_node, table) as adapter:
        with pytest.raises(SchemaConflict, match="written is plainly in Cassandra and by Paxos"):
            await adapter.prepare(replace(table, write_level=SERIAL))


async def test_another_programs_table_is_refused(cassandra_node: Options, cql: Session) -> None:
    table = fresh("items")
    async with opened(cassandra_node, fresh("items")) as adapter:
        cql.execute(f"CREATE TABLE {PREFIX}own.{table.name} (id text PRIMARY KEY)")
        with pytest.raises(SchemaConflict, match="not made by Taulu"):
            await adapter.prepare(table)


async def examined(options: Options, *tables: Table) -> list[Finding]:
    patient = {"connect_timeout_s": PATIENCE_S, **options}
    return list(await CassandraAdapter.create(patient, Environment()).examine(tables))


async def test_doctor_says_what_it_finds(cassandra_node: Options) -> None:
    findings = await examined(cassandra_node)
    assert all(finding.ok for finding in findings), findings
    text = "; ".join(finding.what for finding in findings)
    assert "1 of 1 nodes of dc1 are up" in text
    assert "on its disk before it acknowledges it" in text
    wide = {**cassandra_node, "replication": {"dc1": 3}, "keyspace_prefix": "none_yet_"}
    findings = await examined(wide)
    assert [finding.what for finding in findings if not finding.ok] == [
        "3 copies in dc1, which has 1 nodes"
    ]


async def test_doctor_says_which_keyspace_keeps_less_than_the_settings_say(
    cassandra_node: Options, cql: Session
) -> None:
    table = fresh("items")
    async with opened(cassandra_node, table) as adapter:
        assert all(finding.ok for finding in await adapter.examine())
        cql.execute(f"ALTER KEYSPACE {PREFIX}own WITH durable_writes = false")
        three = {**cassandra_node, "keyspace_prefix": PREFIX, "replication": {"dc1": 3}}
        try:
            findings = await examined(three)
        finally:
            cql.execute(f"ALTER KEYSPACE {PREFIX}own WITH durable_writes = true")
    said = [finding.what for finding in findings if not finding.ok]
    assert f"keyspace {PREFIX}own has 1 copies in dc1, not 3" in said
    assert any(what.startswith(f"keyspace {PREFIX}own is not in the commit log") for what in said)


async def test_doctor_says_where_one_node_can_lose_what_it_acknowledged(tmp_path: Path) -> None:
    with cassandra_cluster(tmp_path, subnet=5, commit_log=SYNCED_LATER) as cluster:
        alone = cluster.options()
        wrong = [f for f in await examined(alone) if not f.ok]
        assert ["commitlog_sync is periodic on 127.0.5.1" in f.what for f in wrong] == [True]
        assert "commitlog_sync: batch" in wrong[0].mend
        copied = {**alone, "replication": {"dc1": 1, "dc2": 2}}
        plain, by_paxos = fresh("items"), fresh("items", write_level=SERIAL)
        for tables, is_fine in (((), True), ((plain,), True), ((plain, by_paxos), False)):
            found = await examined(copied, *tables)
            (said,) = [f for f in found if "commitlog_sync" in f.what]
            assert said.ok == is_fine
            assert ("other copies keep them" in said.what) == is_fine
            assert (by_paxos.full_name in said.what) != is_fine


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-node.invalid"])
async def test_doctor_and_open_say_when_nobody_answers(host: str) -> None:
    nowhere = {
        "contact_points": [host],
        "port": 1,
        "local_dc": "dc1",
        "replication": {"dc1": 1},
        "connect_timeout_s": 1.0,
    }
    (finding,) = await examined(nowhere)
    assert not finding.ok
    assert host in finding.what
    adapter = CassandraAdapter.create(nowhere, Environment())
    with pytest.raises(Unavailable, match=host):
        await adapter.open()
    await adapter.close()


async def test_long_partitions_are_read_to_their_end(cassandra_node: Options) -> None:
    """More rows than one request returns, some deleted, in both directions and by scan."""
    table = fresh("orders", write_level=SERIAL)
    keys = [Key(("a",), (day, name)) for day in range(30, 0, -1) for name in "abcdefghij"]
    gone = [key for key in keys if key.clustering[1] in {"b", "j"}]
    left = [key for key in keys if key not in gone]
    async with opened(cassandra_node, table) as adapter:
        units = [
            WriteUnit(tuple(Put(key, {"count": 1}) for key in keys[at : at + 50]), token())
            for at in range(0, len(keys), 50)
        ]
        units.append(WriteUnit(tuple(Delete(key) for key in gone), token()))
        done = await adapter.execute(WriteRows(table.full_name, tuple(units)), soon(20))
        assert all(isinstance(outcome, Written) for outcome in done.outcomes)
        page = Page(1_000, 1_000_000)
        late = ClusteringRange(Bound((20, "c"), exclusive=True), None)
        for wanted, expected in (
            (WHOLE_PARTITION, left),
            (
                late,
                [
                    k
                    for k in left
                    if k.clustering[0] < 20 or (k.clustering > (20, "c") and k.clustering[0] == 20)
                ],
            ),
        ):
            for reverse in (False, True):
                query = QueryRows(table.full_name, ("a",), page, wanted, reverse)
                found = await adapter.execute(query, soon())
                rows = [row.key for row in found.rows]
                assert rows == (expected[::-1] if reverse else expected)
        scanned = await adapter.execute(ScanRows(table.full_name, page), soon())
        assert [row.key for row in scanned.rows] == left


async def test_a_unit_that_is_too_large_for_the_cluster_is_refused_whole(
    cassandra_node: Options,
) -> None:
    plain, serial = fresh("orders"), fresh("orders", write_level=SERIAL)
    async with opened(cassandra_node, plain, serial) as adapter:
        for table in (plain, serial):
            keys = [Key(("a",), (day, "x")) for day in (1, 2)]
            for size, is_taken in ((600_000, True), (3_000_000, False), (10, True)):
                puts = [Put(key, {"text": "y" * size, "count": size}) for key in keys]
                refused = contextlib.nullcontext() if is_taken else pytest.raises(LimitExceeded)
                with refused:
                    await put(adapter, table, *puts)
                read = GetRows(table.full_name, tuple(keys))
                found = (await adapter.execute(read, soon())).outcomes
                counts = [row.columns["count"] for row in found if isinstance(row, Row)]
                assert counts == [size if is_taken else 600_000] * 2
