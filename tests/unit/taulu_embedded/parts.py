"""What the tests of the embedded adapter share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from taulu.conformance import CONFORMANCE_TABLES, ShiftedClock
from taulu.model import IdempotencyToken, Key, Put, Table, WriteRows, WriteUnit
from taulu.spi import Context, Environment
from taulu_embedded import EmbeddedAdapter

TABLES = {table.full_name: table for table in CONFORMANCE_TABLES}
ITEMS = TABLES["conformance.items"]


def token(nonce: str) -> IdempotencyToken:
    return IdempotencyToken(0, f"nonce-{nonce}")


def put(name: str, count: int = 0, nonce: str = "", ttl_us: int | None = None) -> WriteUnit:
    mutation = Put(Key((name,)), {"count": count}, ttl_us)
    return WriteUnit((mutation,), token(nonce or name))


def write(*units: WriteUnit, table: Table = ITEMS) -> WriteRows:
    return WriteRows(table.full_name, units)


def context(clock: ShiftedClock, timeout_s: float = 10.0) -> Context:
    return Context(clock.monotonic() + timeout_s)


@asynccontextmanager
async def opened(
    path: Path,
    clock: ShiftedClock | None = None,
    server_id: str = "one",
    tables: tuple[Table, ...] = tuple(TABLES.values()),
    options: Mapping[str, object] | None = None,
    *,
    makes_storage: bool = True,
) -> AsyncGenerator[EmbeddedAdapter]:
    environment = Environment(
        clock=clock or ShiftedClock(), server_id=server_id, makes_storage=makes_storage
    )
    settings = {"path": str(path), "durability": "normal", **(options or {})}
    adapter = EmbeddedAdapter.create(settings, environment)
    try:
        await adapter.open()
        for table in tables:
            await adapter.prepare(table)
        yield adapter
    finally:
        await adapter.close()


def renamed(table: Table, **changes: object) -> Table:
    return replace(table, **changes)
