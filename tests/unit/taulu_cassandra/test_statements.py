"""What is sent and stored, literally: a change here is a change of what users see in cqlsh."""

from __future__ import annotations

from taulu.model import Bound, ClusteringRange, Column, ColumnType, TypeName
from taulu_cassandra import statements
from taulu_cassandra.definitions import create_keyspace, create_tables
from taulu_cassandra.shape import parse_comment, to_comment, wanted_shape
from taulu_cassandra.slices import slices_of
from tests.unit.taulu_cassandra.parts import SERIAL, layout, table

TOKENS = "frozen<list<frozen<tuple<text, blob, frozen<list<bigint>>>>>>"


def test_a_keyspace_is_a_namespace() -> None:
    assert create_keyspace(layout("items"), {"dc2": 2, "dc1": 3}) == (
        'CREATE KEYSPACE IF NOT EXISTS "conformance" WITH replication = '
        "{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 2} AND durable_writes = true"
    )


def test_a_plain_table_has_the_columns_of_its_description() -> None:
    (made,) = create_tables(layout("orders"), "what it is")
    assert made == (
        'CREATE TABLE IF NOT EXISTS "conformance"."orders" (\n'
        '  "owner" text,\n  "day" bigint,\n  "name" text,\n  "count" bigint,\n  "text" text,\n'
        '  "_version" bigint,\n  "_expire" bigint,\n'
        '  PRIMARY KEY (("owner"), "day", "name")\n'
        ') WITH CLUSTERING ORDER BY ("day" DESC, "name" ASC)\n'
        "  AND compaction = {'class': 'UnifiedCompactionStrategy'}\n"
        "  AND comment = 'what it is'"
    )


def test_a_table_of_paxos_has_a_head_and_a_companion_too() -> None:
    tokens, made = create_tables(layout("orders", write_level=SERIAL), "x")
    assert f'"_seq" bigint static,\n  "_last" {TOKENS} static,\n  "_rows" bigint static' in made
    assert tokens.startswith(
        'CREATE TABLE IF NOT EXISTS "conformance"."orders__tokens" (\n  "owner" text,\n'
        '  "_nonce" text,\n  "_fingerprint" blob,\n  "_result" frozen<list<bigint>>,\n'
        '  PRIMARY KEY (("owner", "_nonce"))\n) WITH compaction = '
        "{'class': 'TimeWindowCompactionStrategy'"
    )


def test_types_are_cassandras_own() -> None:
    (made,) = create_tables(layout("items"), "x")
    for column in (
        *('"flag" boolean', '"ratio" double', '"price" decimal', '"blob" blob', '"at" bigint'),
        *('"ref" uuid', '"point" vector<float, 3>', '"tags" frozen<list<text>>'),
        '"amounts" frozen<map<text, bigint>>',
    ):
        assert f"  {column},\n" in made


def test_a_column_may_be_called_anything() -> None:
    odd = Column('sel"ect', ColumnType(TypeName.INT64))
    (made,) = create_tables(layout("orders", columns=(odd,)), "it's")
    assert '"sel""ect" bigint' in made
    assert "comment = 'it''s'" in made


def test_a_range_is_asked_for_in_declared_order() -> None:
    wanted = ClusteringRange(Bound((3, "b"), exclusive=True), Bound((1,)))
    first, second = slices_of(wanted)
    own = layout("orders")
    columns = 'SELECT "day", "name", "count", "text", "_version", "_expire" FROM '
    start = columns + '"conformance"."orders" WHERE "owner" = ? AND '
    assert statements.select_slice(own, first, reverse=False) == (
        start + '"day" = ? AND "name" > ? LIMIT ?'
    )
    # Days run down, so what comes later is less.
    assert statements.select_slice(own, second, reverse=True) == (
        start + '"day" < ? AND "day" >= ? ORDER BY "day" ASC, "name" DESC LIMIT ?'
    )
    assert statements.slice_values(own, second) == (3, 1)


def test_deleting_all_rows_leaves_the_head() -> None:
    own = layout("orders", write_level=SERIAL)
    (everything,) = slices_of(ClusteringRange())
    assert statements.delete_slice_serial(own, everything).endswith(
        'WHERE "owner" = ? AND "day" >= ?'
    )
    assert statements.slice_values(own, everything, floor=True) == (-(2**63),)


def test_a_shape_is_read_back_from_its_comment() -> None:
    for name in ("items", "orders", "typed_keys", "credits", "short_log"):
        shape = wanted_shape(layout(name))
        assert parse_comment(to_comment(shape), table(name)) == shape


def test_the_comment_stays_what_it_is() -> None:
    assert to_comment(wanted_shape(layout("orders", write_level=SERIAL))) == (
        'Taulu table {"kind": "wide", "written": "by Paxos", "partition_key": ["owner string"], '
        '"clustering_key": ["day int64 desc", "name string asc"], "log_partitions": 0, '
        '"columns": {"count": "int64", "text": "string"}}'
    )
