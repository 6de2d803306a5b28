"""Removing what has expired, a little at a time, so that no writer waits long.

Nothing depends on it but space: what has expired is absent before it is purged. A margin lets
gateways whose clocks differ agree on what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from taulu.codec import timestamp_from_us
from taulu.model import Clock, Kind
from taulu_postgres import log_statements
from taulu_postgres._driver import Call, Connection
from taulu_postgres.names import Names
from taulu_postgres.pool import Pool
from taulu_postgres.slots import lock, raise_floors
from taulu_postgres.stored import StoredTable
from taulu_postgres.transaction import COMMIT

CHUNK = 1_000
"""How many rows one step removes at most."""
MARGIN_US = 60_000_000
_STEP_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Purge:
    """Removes what has expired, in steps."""

    pool: Pool
    clock: Clock
    names: Names
    begin: str

    async def tokens(self) -> int:
        """Remove idempotency tokens whose window has passed; return how many."""
        tokens = self.names.tokens
        return await self._count(
            f"WITH gone AS (DELETE FROM {tokens} WHERE (table_id, nonce) IN ("
            f"SELECT table_id, nonce FROM {tokens} WHERE expire <= $1::timestamptz "
            "ORDER BY expire LIMIT $2::bigint "
            "FOR UPDATE SKIP LOCKED) RETURNING 1) SELECT count(*) FROM gone"
        )

    async def table(self, stored: StoredTable) -> int:
        """Remove what has expired of a table; return how much."""
        match stored.table.kind:
            case Kind.COUNTER:
                return await self._holds(stored)
            case Kind.LOG:
                return await self._records(stored)
            case _:
                return await self._rows(stored)

    async def _holds(self, stored: StoredTable) -> int:
        holds = self.names.table(stored.table, "$holds")
        key = ", ".join([*(name for name, _ in stored.key_types), "_hold"])
        return await self._count(
            f"WITH gone AS (DELETE FROM {holds} WHERE ({key}) IN (SELECT {key} FROM {holds} "
            "WHERE _expire <= $1::timestamptz ORDER BY _expire LIMIT $2::bigint "
            "FOR UPDATE SKIP LOCKED) RETURNING 1) SELECT count(*) FROM gone"
        )

    async def _rows(self, stored: StoredTable) -> int:
        """Remove rows as a writer does: behind their locks, with their versions remembered."""
        oldest = self._oldest_us()
        key = ", ".join(name for name, _ in stored.key_types)
        expired = (
            f"FROM {stored.name} WHERE _expire <= $1::timestamptz {{}}"
            "ORDER BY _expire LIMIT $2::bigint"
        )
        find = f"SELECT DISTINCT _slot FROM (SELECT _slot {expired.format('')}) AS found"
        delete = (
            f"WITH gone AS (DELETE FROM {stored.name} WHERE ({key}) IN (SELECT {key} "
            f"{expired.format('AND _slot = ANY($3::smallint[]) ')}) RETURNING _version) "
            "SELECT count(*), max(_version) FROM gone"
        )
        values = timestamp_from_us(oldest), CHUNK
        async with self.pool.connection(self._deadline()) as connection:
            (found,) = await connection.ask([Call(find, values)], _STEP_S_MAX)
            slots = [slot for (slot,) in found]
            if not slots:
                return 0
            calls = [
                Call(self.begin),
                lock(self.names, stored.id, slots),
                Call(delete, (*values, slots)),
            ]
            ((count, version),) = (await connection.ask(calls, _STEP_S_MAX))[-1]
            floors = [raise_floors(self.names, stored.id, slots, version)] if count else []
            await connection.ask([*floors, COMMIT], _STEP_S_MAX)
        return count

    async def _records(self, stored: StoredTable) -> int:
        """Remove records past their retention from the front of each partition."""
        if stored.table.ttl_us is None:
            return 0
        oldest = timestamp_from_us(self._oldest_us() - stored.table.ttl_us + 1)
        find = log_statements.past_retention(stored, oldest, CHUNK)
        removed = 0
        async with self.pool.connection(self._deadline()) as connection:
            (found,) = await connection.ask([find], _STEP_S_MAX)
            for partition, before, first in found:
                if first > before:
                    calls = log_statements.purge(stored, partition, first)
                    await self._commit(connection, calls)
                    removed += first - before
        return removed

    async def _commit(self, connection: Connection, calls: list[Call]) -> None:
        await connection.ask([Call(self.begin), *calls, COMMIT], _STEP_S_MAX)

    async def _count(self, text: str) -> int:
        values = timestamp_from_us(self._oldest_us()), CHUNK
        async with self.pool.connection(self._deadline()) as connection:
            (((count,),),) = await connection.ask([Call(text, values)], _STEP_S_MAX)
        return count

    def _oldest_us(self) -> int:
        return self.clock.now_us() - MARGIN_US

    def _deadline(self) -> float:
        return self.clock.monotonic() + _STEP_S_MAX
