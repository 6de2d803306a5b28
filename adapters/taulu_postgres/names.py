"""What things are called in the database, always quoted."""

from __future__ import annotations

from dataclasses import dataclass

from taulu.model import Table
from taulu_postgres.settings import PostgresSettings

NAME_BYTES_MAX = 63
"""PostgreSQL cuts longer names off, so that two could become one."""
SUFFIX_CHARS_MAX = len("$expire")

_RESERVED_SCHEMAS = frozenset({"public", "information_schema", "crdb_internal", "system"})


def quote(name: str) -> str:
    """Return an identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one target: bookkeeping in one schema, tables in one per namespace."""

    schema: str
    schema_prefix: str = ""

    @classmethod
    def of(cls, settings: PostgresSettings) -> Names:
        """Return the names that the settings ask for."""
        return cls(settings.schema_name, settings.schema_prefix)

    @property
    def tables(self) -> str:
        """How each table was described."""
        return f"{quote(self.schema)}.tables"

    @property
    def tokens(self) -> str:
        """Idempotency tokens of all tables, with what came of them."""
        return f"{quote(self.schema)}.tokens"

    @property
    def slots(self) -> str:
        """Locks of each table, with the highest version that was deleted under each."""
        return f"{quote(self.schema)}.slots"

    def schema_of(self, table: Table) -> str:
        """Return the unquoted schema of a table."""
        return self.schema_prefix + table.namespace

    def table(self, table: Table, suffix: str = "") -> str:
        """Return the qualified name of a table, or of one of its companions."""
        return f"{quote(self.schema_of(table))}.{quote(table.name + suffix)}"

    def refusals(self, table: Table) -> list[str]:
        """Return why a table cannot have the name it should have, one sentence each."""
        reasons: list[str] = []
        schema = self.schema_of(table)
        if schema == self.schema or schema in _RESERVED_SCHEMAS or schema.startswith("pg_"):
            reasons.append(
                f"its namespace would use the schema {schema!r}, which is not for tables; set "
                "`schema_prefix` of the storage target"
            )
        columns = [*table.partition_key, *(c.column for c in table.clustering_key), *table.columns]
        names = [schema, table.name + "$" * SUFFIX_CHARS_MAX, *(c.name for c in columns)]
        reasons += [
            f"the name {name.rstrip('$')!r} is longer than PostgreSQL's {NAME_BYTES_MAX} bytes"
            for name in names
            if len(name.encode()) > NAME_BYTES_MAX
        ]
        reasons += [
            f"column {column.name!r} begins with an underscore, which Taulu's own columns do"
            for column in columns
            if column.name.startswith("_")
        ]
        return reasons
