"""How a table stands in Cassandra: names, columns, and values on their way in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from taulu.codec import KeyCodec, RowCodec
from taulu.model import Corrupt, KeyValue, Partition, Row, Table, Value
from taulu.model.row import Key
from taulu_cassandra._driver import CqlRow, CqlValue
from taulu_cassandra.cql_types import (
    Convert,
    as_value,
    clustering_codec,
    clustering_type,
    column_decoder,
    column_encoder,
    native_type,
    partition_codec,
    partition_type,
)
from taulu_cassandra.options import Levels, TableOptions, is_serial, levels_of, options_of

NAME_CHARS_MAX = 48
"""Of a keyspace, and of a table with its companions."""
TOKENS_SUFFIX = "__tokens"
HEADS_SUFFIX = "__heads"

VERSION = "_version"
EXPIRE = "_expire"
SEQ = "_seq"
LAST = "_last"
ROWS = "_rows"
VALUE = "_value"
HOLD = "_hold"
AMOUNT = "_amount"
PARTITION = "_partition"
BUCKET = "_bucket"
OFFSET = "_offset"
TIME = "_time"
NEXT = "_next"
PENDING = "_pending"
"""Columns of our own; no described column begins with an underscore."""

Clustering = tuple[KeyValue, ...]


def quoted(name: str) -> str:
    """Return an identifier that may be any word, keywords included."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Field:
    """One column as it is stored."""

    name: str
    native: str
    encode: Convert
    decode: Convert
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One table, compiled."""

    table: Table
    keyspace: str
    options: TableOptions
    levels: Levels
    is_serial: bool
    partition: tuple[Field, ...]
    clustering: tuple[Field, ...]
    columns: tuple[Field, ...]
    keys: KeyCodec
    rows: RowCodec

    @property
    def name(self) -> str:
        """The table's full name as CQL writes it."""
        return f"{quoted(self.keyspace)}.{quoted(self.table.name)}"

    def companion(self, suffix: str) -> str:
        """Return the full name of a table beside this one."""
        return f"{quoted(self.keyspace)}.{quoted(self.table.name + suffix)}"

    def partition_values(self, partition: Partition) -> tuple[CqlValue, ...]:
        """Return partition key values ready for the driver."""
        return tuple(f.encode(v) for f, v in zip(self.partition, partition, strict=True))

    def clustering_values(self, clustering: Sequence[KeyValue]) -> tuple[CqlValue, ...]:
        """Return clustering values, or a prefix of them, ready for the driver."""
        return tuple(f.encode(v) for f, v in zip(self.clustering, clustering, strict=False))

    def column_values(self, columns: Mapping[str, Value]) -> tuple[CqlValue, ...]:
        """Return the value of every column, ready for the driver; None where it is not set."""
        found = ((f, columns.get(f.name)) for f in self.columns)
        return tuple(None if value is None else f.encode(value) for f, value in found)

    def read_partition(self, fields: CqlRow) -> Partition:
        """Return partition key values as the model has them."""
        found = zip(self.partition, fields, strict=True)
        return tuple(cast(KeyValue, f.decode(value)) for f, value in found)

    def read_clustering(self, fields: CqlRow) -> Clustering:
        """Return clustering values as the model has them."""
        found = zip(self.clustering, fields, strict=True)
        return tuple(cast(KeyValue, f.decode(value)) for f, value in found)

    def read_row(self, partition: Partition, fields: CqlRow) -> Row | None:
        """Return a stored row; None where there is none, expired ones included.

        Args:
            partition: Its partition.
            fields: Clustering, columns, version and expiry, in this order.

        Raises:
            Corrupt: A value cannot be read.
        """
        width = len(self.clustering)
        version, expire_us = fields[-2], fields[-1]
        if version is None:
            return None
        try:
            clustering = self.read_clustering(fields[:width])
            values = zip(self.columns, fields[width:-2], strict=True)
            columns = {f.name: as_value(f.decode(v)) for f, v in values if v is not None}
        except (ValueError, TypeError, ArithmeticError) as error:
            raise Corrupt(
                f"a stored row of {self.table.full_name} cannot be read: {error}",
                details={"table": self.table.full_name},
            ) from error
        return Row(Key(partition, clustering), columns, version, expire_us)


def layout_of(table: Table, keyspace_prefix: str) -> Layout:
    """Compile a table whose options were found right."""
    options = options_of(table)
    alone = len(table.partition_key) == 1
    partition = tuple(
        Field(c.name, partition_type(c.type.name), *partition_codec(c.type.name, alone=alone))
        for c in table.partition_key
    )
    clustering = tuple(
        Field(
            c.column.name,
            clustering_type(c.column.type.name),
            *clustering_codec(c.column.type.name),
            c.descending,
        )
        for c in table.clustering_key
    )
    columns = tuple(
        Field(c.name, native_type(c.type), column_encoder(c.type), column_decoder(c.type))
        for c in table.columns
    )
    return Layout(
        table=table,
        keyspace=keyspace_prefix + table.namespace,
        options=options,
        levels=levels_of(table, options),
        is_serial=is_serial(table),
        partition=partition,
        clustering=clustering,
        columns=columns,
        keys=KeyCodec(table),
        rows=RowCodec(table),
    )


def wrong_names(table: Table, keyspace_prefix: str) -> list[str]:
    """Return why a table's names cannot be used in Cassandra, one sentence each."""
    wrong: list[str] = []
    keyspace = keyspace_prefix + table.namespace
    if len(keyspace) > NAME_CHARS_MAX:
        wrong.append(f"its keyspace {keyspace!r} is longer than {NAME_CHARS_MAX} characters")
    suffixes = (TOKENS_SUFFIX,) if is_serial(table) else ("",)
    longest = NAME_CHARS_MAX - max(len(suffix) for suffix in suffixes)
    if len(table.name) > longest:
        wrong.append(f"its name is longer than {longest} characters, which is all Cassandra takes")
    if table.name.endswith((TOKENS_SUFFIX, HEADS_SUFFIX)):
        wrong.append(f"names that end in {TOKENS_SUFFIX} or {HEADS_SUFFIX} are the adapter's own")
    return wrong
