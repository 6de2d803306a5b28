"""CREATE statements: bookkeeping, and the tables of each kind. Every one may be run again."""

from __future__ import annotations

from collections.abc import Sequence

from taulu.model import Column, Kind, Table, TypeName
from taulu_postgres.columns import sql_type
from taulu_postgres.dialect import Dialect
from taulu_postgres.names import Names, quote
from taulu_postgres.slots import SLOTS


def bookkeeping(names: Names, dialect: Dialect) -> list[str]:
    """Return the statements that make Taulu's own tables."""
    text = dialect.ordered_text
    return [
        f"CREATE SCHEMA IF NOT EXISTS {quote(names.schema)}",
        (
            f"CREATE TABLE IF NOT EXISTS {names.tables} "
            f"(id integer PRIMARY KEY, name {text} NOT NULL UNIQUE, description jsonb NOT NULL)"
        ),
        (
            f"CREATE TABLE IF NOT EXISTS {names.tokens} "
            f"(table_id integer NOT NULL, nonce {text} NOT NULL, fingerprint bytea NOT NULL, "
            "outcome bigint[] NOT NULL, expire timestamptz NOT NULL, PRIMARY KEY (table_id, nonce))"
        ),
        f"CREATE INDEX IF NOT EXISTS tokens_expire ON {names.tokens} (expire)",
        (
            f"CREATE TABLE IF NOT EXISTS {names.slots} "
            "(table_id integer NOT NULL, slot smallint NOT NULL, version bigint NOT NULL, "
            "PRIMARY KEY (table_id, slot))"
        ),
    ]


def create_table(table: Table, names: Names, dialect: Dialect) -> list[str]:
    """Return the statements that make a table with its companions and indexes."""
    schema = f"CREATE SCHEMA IF NOT EXISTS {quote(names.schema_of(table))}"
    match table.kind:
        case Kind.COUNTER:
            return [schema, *_counters(table, names, dialect)]
        case Kind.LOG:
            return [schema, *_log(table, names, dialect)]
        case _:
            return [schema, *_rows(table, names, dialect)]


def add_columns(table: Table, names: Names, wanted: Sequence[str]) -> list[str]:
    """Return the statements that add columns by name."""
    return [
        f"ALTER TABLE {names.table(table)} ADD COLUMN IF NOT EXISTS {_value_column(column)}"
        for column in table.columns
        if column.name in wanted
    ]


def fill_bookkeeping(table: Table, table_id: int, names: Names) -> list[str]:
    """Return the statements that make the rows which writers lock."""
    if table.kind is Kind.LOG:
        return [
            (
                f"INSERT INTO {names.table(table, '$heads')} "
                "SELECT n, 0, 0, '1970-01-01 00:00:00Z'::timestamptz "
                f"FROM generate_series(0, {table.log_partitions - 1}) AS n ON CONFLICT DO NOTHING"
            )
        ]
    return [
        (
            f"INSERT INTO {names.slots} SELECT {table_id}, n, 0 "
            f"FROM generate_series(0, {SLOTS - 1}) AS n ON CONFLICT DO NOTHING"
        )
    ]


def _rows(table: Table, names: Names, dialect: Dialect) -> list[str]:
    name = names.table(table)
    descending = {c.column.name for c in table.clustering_key if c.descending}
    keys = [quote(column.name) for column in key_columns(table)]
    ordered = [
        quote(column.name) + (" DESC" if column.name in descending else "")
        for column in key_columns(table)
    ]
    index_names = quote(table.name + "$key"), quote(table.name + "$scan")
    indexes = dialect.key_indexes(name, index_names, keys, ordered)
    columns = [
        *(_key_column(column, dialect) for column in key_columns(table)),
        *(_value_column(column) for column in table.columns),
        "_version bigint NOT NULL",
        "_expire timestamptz",
        "_slot smallint NOT NULL",
        indexes.constraint,
    ]
    return [
        _create(name, columns),
        *indexes.statements,
        (
            f"CREATE INDEX IF NOT EXISTS {quote(table.name + '$expire')} ON {name} (_expire) "
            "WHERE _expire IS NOT NULL"
        ),
    ]


def _counters(table: Table, names: Names, dialect: Dialect) -> list[str]:
    keys = [_key_column(column, dialect) for column in key_columns(table)]
    key = ", ".join(quote(column.name) for column in key_columns(table))
    holds = names.table(table, "$holds")
    counters = [*keys, "_value bigint NOT NULL", "_version bigint NOT NULL"]
    held = [
        *keys,
        f"_hold {dialect.ordered_text} NOT NULL",
        "_amount bigint NOT NULL",
        "_expire timestamptz NOT NULL",
    ]
    return [
        _create(names.table(table), [*counters, f"PRIMARY KEY ({key})"]),
        _create(holds, [*held, f"PRIMARY KEY ({key}, _hold)"]),
        f"CREATE INDEX IF NOT EXISTS {quote(table.name + '$expire')} ON {holds} (_expire)",
    ]


def _log(table: Table, names: Names, dialect: Dialect) -> list[str]:
    name = names.table(table)
    columns = [
        "_partition integer NOT NULL",
        "_offset bigint NOT NULL",
        "_time timestamptz NOT NULL",
        *(_key_column(column, dialect) for column in table.partition_key),
        *(_value_column(column) for column in table.columns),
        "PRIMARY KEY (_partition, _offset)",
    ]
    heads = [
        "_partition integer PRIMARY KEY",
        "_first bigint NOT NULL",
        "_end bigint NOT NULL",
        "_time timestamptz NOT NULL",
    ]
    return [
        _create(name, columns),
        _create(names.table(table, "$heads"), heads),
        (
            f"CREATE INDEX IF NOT EXISTS {quote(table.name + '$time')} "
            f"ON {name} (_partition, _time, _offset)"
        ),
    ]


def key_columns(table: Table) -> list[Column]:
    """Return partition and clustering columns, in declared order."""
    return [*table.partition_key, *(c.column for c in table.clustering_key)]


def _create(name: str, columns: Sequence[str]) -> str:
    return f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})"


def _key_column(column: Column, dialect: Dialect) -> str:
    is_text = column.type.name is TypeName.STRING
    spelled = dialect.ordered_text if is_text else sql_type(column.type).name
    return f"{quote(column.name)} {spelled} NOT NULL"


def _value_column(column: Column) -> str:
    return f"{quote(column.name)} {sql_type(column.type).name}"
