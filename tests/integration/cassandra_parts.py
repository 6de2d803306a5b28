"""Tables, adapters and calls for the tests on a real node."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from taulu.conformance import ShiftedClock
from taulu.conformance.tables import CONFORMANCE_TABLES
from taulu.model import (
    Failed,
    IdempotencyToken,
    Level,
    Put,
    Table,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from taulu_cassandra import CassandraAdapter

Options = Mapping[str, object]
PREFIX = "kept_"
PATIENCE_S = 60.0
"""For what a node does at once, on a machine however busy."""
BY_NAME = {table.name: table for table in CONFORMANCE_TABLES}


def fresh(name: str, **changes: Any) -> Table:
    """Return a table of the suite under a name that no other test uses."""
    own = f"{name}_{uuid4().hex[:8]}"
    return replace(BY_NAME[name], name=own, namespace="own", **changes)


@asynccontextmanager
async def opened(node: Options, *tables: Table) -> AsyncGenerator[CassandraAdapter]:
    options = {"connect_timeout_s": PATIENCE_S, **node, "keyspace_prefix": PREFIX}
    adapter = CassandraAdapter.create(options, Environment())
    await adapter.open()
    try:
        for table in tables:
            assert adapter.refusals(table) == []
            await adapter.prepare(table)
        yield adapter
    finally:
        await adapter.close()


def token() -> IdempotencyToken:
    return IdempotencyToken(ShiftedClock().now_us(), uuid4().hex)


def soon(seconds: float = PATIENCE_S) -> Context:
    return Context(ShiftedClock().monotonic() + seconds)


async def put(adapter: CassandraAdapter, table: Table, *puts: Put, **more: Any) -> Written:
    unit = WriteUnit(puts, more.pop("token", None) or token(), **more)
    (outcome,) = (await adapter.execute(WriteRows(table.full_name, (unit,)), soon())).outcomes
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome


SERIAL = Level.LINEARIZABLE
