"""The tables of the file: how each was described when its data was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from taulu.codec import KeyCodec, RowCodec
from taulu.model import Table
from taulu.spi import merged_shape, parse_shape, shape_of
from taulu_embedded import statements
from taulu_embedded._driver import Connection
from taulu_embedded.tokens import TokenBook
from taulu_embedded.transaction import Transaction

_PLACE = "the file"


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A prepared table with all that was compiled for it."""

    table: Table
    id: int
    """Stands for the table in every stored row."""
    keys: KeyCodec
    rows: RowCodec
    tokens: TokenBook


def store_table(transaction: Transaction, table: Table, token_window_us: int) -> StoredTable:
    """Enter a table, or check that what is stored fits it; add the columns that are new.

    Raises:
        SchemaConflict: The message names every difference and what to do.
    """
    connection = transaction.connection
    wanted = shape_of(table)
    found = connection.one(statements.TABLE_BY_NAME, table.full_name)
    if found is None:
        row = connection.one(
            statements.INSERT_TABLE, table.full_name, table.kind.value, wanted.to_json()
        )
        table_id = cast("tuple[int]", row)[0]
    else:
        table_id = cast(int, found[0])
        stored = parse_shape(found[1], table, _PLACE)
        merged = merged_shape(table, stored, wanted, _PLACE)
        if merged != stored:
            connection.execute(statements.SET_TABLE_SHAPE, merged.to_json(), table_id)
    return StoredTable(
        table=table,
        id=table_id,
        keys=KeyCodec(table),
        rows=RowCodec(table),
        tokens=TokenBook(table_id, table.full_name, token_window_us),
    )


def check_table(connection: Connection, table: Table) -> None:
    """Look whether a table fits what is stored of it, if anything is; change nothing.

    Raises:
        SchemaConflict: The message names every difference and what to do.
    """
    found = connection.one(statements.TABLE_BY_NAME, table.full_name)
    if found is not None:
        stored = parse_shape(found[1], table, _PLACE)
        merged_shape(table, stored, shape_of(table), _PLACE)
