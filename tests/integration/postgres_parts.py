"""What the tests of the PostgreSQL adapter on a real server share."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from taulu.conformance import CONFORMANCE_TABLES, ShiftedClock
from taulu.model import (
    Absent,
    Failed,
    GetRows,
    IdempotencyToken,
    Key,
    Mutation,
    Put,
    Row,
    Table,
    Value,
    WriteOutcome,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from taulu_postgres import PostgresAdapter
from tests.testbed.postgres_server import PostgresServer

TABLES = {table.name: table for table in CONFORMANCE_TABLES}


def own_tables(*names: str, **changes: object) -> tuple[Table, ...]:
    """Return tables of the suite in a namespace that no other test uses."""
    namespace = f"t{uuid.uuid4().hex[:10]}"
    return tuple(replace(TABLES[name], namespace=namespace, **changes) for name in names)


def token(nonce: str = "") -> IdempotencyToken:
    return IdempotencyToken(0, nonce or uuid.uuid4().hex)


def context(timeout_s: float = 10.0) -> Context:
    return Context(ShiftedClock().monotonic() + timeout_s)


@asynccontextmanager
async def opened(
    server: PostgresServer,
    *tables: Table,
    clock: ShiftedClock | None = None,
    options: Mapping[str, object] | None = None,
) -> AsyncGenerator[PostgresAdapter]:
    given = {**server.options(), **(options or {})}
    adapter = PostgresAdapter.create(given, Environment(clock=clock or ShiftedClock()))
    try:
        await adapter.open()
        for table in tables:
            await adapter.prepare(table)
        yield adapter
    finally:
        await adapter.close()


def unit(*mutations: Mutation, nonce: str = "") -> WriteUnit:
    return WriteUnit(mutations, token(nonce))


async def write_all(
    adapter: PostgresAdapter, table: Table, units: Sequence[WriteUnit], timeout_s: float = 10.0
) -> tuple[WriteOutcome, ...]:
    return (
        await adapter.execute(WriteRows(table.full_name, tuple(units)), context(timeout_s))
    ).outcomes


async def write(adapter: PostgresAdapter, table: Table, *mutations: Mutation) -> Written:
    (outcome,) = await write_all(adapter, table, [unit(*mutations)])
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome


async def put(
    adapter: PostgresAdapter, table: Table, key: Key, columns: Mapping[str, Value]
) -> Written:
    return await write(adapter, table, Put(key, columns))


async def row(adapter: PostgresAdapter, table: Table, key: Key) -> Row | None:
    (outcome,) = (await adapter.execute(GetRows(table.full_name, (key,)), context())).outcomes
    if isinstance(outcome, Failed):
        raise outcome.error
    return None if isinstance(outcome, Absent) else outcome
