"""Making tables, and checking those that are there, while other gateways do the same."""

from __future__ import annotations

import json
from dataclasses import dataclass

from taulu.model import Table
from taulu_postgres._driver import Call, Connection
from taulu_postgres.definitions import (
    add_columns,
    bookkeeping,
    create_table,
    fill_bookkeeping,
)
from taulu_postgres.description import (
    Description,
    columns_of,
    describe,
    merged,
    parse_description,
    stranger,
)
from taulu_postgres.dialect import Dialect
from taulu_postgres.names import Names, quote
from taulu_postgres.stored import StoredTable

_LOCK = 0x7461756C75
"""`taulu` in ASCII: what gateways that prepare tables wait for."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """One preparation of one table, on one connection.

    On PostgreSQL it is one transaction. CockroachDB changes its schema outside of transactions,
    so there every statement stands alone, may be run again, and is.
    """

    connection: Connection
    names: Names
    dialect: Dialect
    timeout_s: float

    async def prepare(self, table: Table, window_us: int) -> StoredTable:
        """Make a table, or check that what is stored fits it; add the columns that are new.

        Raises:
            SchemaConflict: What is stored does not fit.
        """
        wanted = describe(table)
        if self.dialect.has_transactional_ddl:
            known = await self._described(table) if await self._is_begun() else None
            if known is not None and merged(table, known[1], wanted) == known[1]:
                return self._stored(table, *known, window_us)
            await self._run("BEGIN", *self.dialect.lock_schema(_LOCK))
        await self._run(*bookkeeping(self.names, self.dialect))
        found = await self._described(table)
        if found is None:
            await self._refuse_stranger(table)
            await self._ask(self._insert(table, wanted))
            found = await self._described(table)
        table_id, stored = found if found is not None else (0, wanted)
        complete = merged(table, stored, wanted)
        await self._run(*create_table(table, self.names, self.dialect))
        added = sorted(columns_of(complete).keys() - columns_of(stored).keys())
        await self._run(*add_columns(table, self.names, added))
        if complete != stored:
            await self._ask(self._update(table_id, complete))
        await self._run(*fill_bookkeeping(table, table_id, self.names))
        if self.dialect.has_transactional_ddl:
            await self._run("COMMIT")
        return self._stored(table, table_id, complete, window_us)

    async def check(self, table: Table) -> None:
        """Look whether a table fits what is stored of it, if anything is; change nothing.

        Raises:
            SchemaConflict: It does not.
        """
        found = await self._described(table) if await self._is_begun() else None
        if found is None:
            await self._refuse_stranger(table)
        else:
            merged(table, found[1], describe(table))

    def _stored(
        self, table: Table, table_id: int, description: Description, window_us: int
    ) -> StoredTable:
        described = {column.name for column in table.columns}
        forgotten = tuple(map(quote, sorted(columns_of(description).keys() - described)))
        return StoredTable(table, table_id, self.names, self.dialect, window_us, forgotten)

    async def _is_begun(self) -> bool:
        """Return whether any table was ever prepared here."""
        call = Call("SELECT to_regclass($1::text) IS NOT NULL", (self.names.tables,))
        (((is_there,),),) = await self.connection.ask([call], self.timeout_s)
        return is_there

    async def _described(self, table: Table) -> tuple[int, Description] | None:
        call = Call(
            f"SELECT id, description::text FROM {self.names.tables} WHERE name = $1::text",
            (table.full_name,),
        )
        (rows,) = await self.connection.ask([call], self.timeout_s)
        if not rows:
            return None
        table_id, text = rows[0]
        return table_id, parse_description(text, table)

    async def _refuse_stranger(self, table: Table) -> None:
        call = Call(
            "SELECT 1 FROM information_schema.tables "
            "WHERE table_schema = $1::text AND table_name = $2::text",
            (self.names.schema_of(table), table.name),
        )
        (rows,) = await self.connection.ask([call], self.timeout_s)
        if rows:
            raise stranger(table, self.names.table(table))

    def _insert(self, table: Table, description: Description) -> Call:
        return Call(
            f"INSERT INTO {self.names.tables} SELECT coalesce(max(id), 0) + 1, $1::text, "
            f"$2::jsonb FROM {self.names.tables} ON CONFLICT DO NOTHING",
            (table.full_name, json.dumps(description)),
        )

    def _update(self, table_id: int, description: Description) -> Call:
        return Call(
            f"UPDATE {self.names.tables} SET description = description || $2::jsonb "
            "WHERE id = $1::integer",
            (table_id, json.dumps(description)),
        )

    async def _ask(self, call: Call) -> None:
        await self.connection.ask([call], self.timeout_s)

    async def _run(self, *statements: str) -> None:
        for statement in statements:
            await self._ask(Call(statement))
