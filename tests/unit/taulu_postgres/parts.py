"""What the unit tests of the PostgreSQL adapter share."""

from __future__ import annotations

from taulu.conformance import CONFORMANCE_TABLES
from taulu_postgres.dialect import POSTGRES, Dialect
from taulu_postgres.names import Names
from taulu_postgres.stored import StoredTable

TABLES = {table.name: table for table in CONFORMANCE_TABLES}
NAMES = Names("taulu")


def stored(name: str, dialect: Dialect = POSTGRES) -> StoredTable:
    return StoredTable(TABLES[name], 1, NAMES, dialect, window_us=1_000_000)
