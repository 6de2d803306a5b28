"""Adapters that are opened on Redis for one test, and what the servers hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from taulu.conformance import ShiftedClock
from taulu.conformance.subject import Subject
from taulu.conformance.tables import STORAGE, tables_for
from taulu.model import (
    Column,
    ColumnType,
    Kind,
    Table,
    TypeName,
)
from taulu.spi import Environment
from taulu_redis import RedisAdapter
from tests.conformance.adapters import direct
from tests.testbed.redis_servers import (
    RedisServer,
    Standalone,
    call,
)

Options = dict[str, object]
_STRING = ColumnType(TypeName.STRING)


@asynccontextmanager
async def opened(
    options: Options, tables: Sequence[Table] | None = None
) -> AsyncGenerator[tuple[RedisAdapter, Subject]]:
    """Open an adapter with the suite's tables, or with others."""
    clock = ShiftedClock()
    adapter = RedisAdapter.create(options, Environment(clock=clock))
    try:
        await adapter.open()
        for table in tables_for(adapter.capabilities) if tables is None else tables:
            await adapter.prepare(table)
        harness = direct(RedisAdapter, options, is_durable=True, capabilities=adapter.capabilities)
        yield adapter, Subject(harness, adapter.execute, clock)
    finally:
        await adapter.close()


@contextmanager
def server_with(folder: Path, **config: str) -> Generator[Standalone]:
    """Run a server that is set up in another way."""
    servers = Standalone(folder, {name.replace("_", "-"): value for name, value in config.items()})
    try:
        yield servers.start()
    finally:
        servers.stop()


def keys_of(server: RedisServer, pattern: str) -> list[str]:
    found = call(server.port, "KEYS", pattern)
    assert isinstance(found, list)
    return sorted(found)


def fields_of(server: RedisServer, key: str) -> dict[str, str]:
    found = call(server.port, "HGETALL", key)
    assert isinstance(found, list)
    return dict(zip(found[::2], found[1::2], strict=True))


def table_of(name: str, **options: object) -> Table:
    return Table(
        "options",
        name,
        Kind.KV,
        (Column("id", _STRING),),
        columns=(Column("text", _STRING),),
        storage=STORAGE,
        options=options,
    )
