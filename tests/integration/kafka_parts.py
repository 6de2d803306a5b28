"""Adapters on one topic, and what readers see of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from taulu.model import (
    AppendOutcome,
    AppendRecords,
    Column,
    ColumnType,
    FromEarliest,
    FromOffset,
    IdempotencyToken,
    Kind,
    LogPage,
    LogRecord,
    LogStart,
    NewRecord,
    ReadLog,
    Table,
    TypeName,
)
from taulu.spi import Context, Environment
from taulu_kafka import KafkaAdapter

TIMEOUT_S = 60.0
TABLE = Table(
    "integration",
    "events",
    Kind.LOG,
    (Column("source", ColumnType(TypeName.STRING)),),
    columns=(
        Column("count", ColumnType(TypeName.INT64)),
        Column("price", ColumnType(TypeName.DECIMAL)),
        Column("at", ColumnType(TypeName.TIMESTAMP)),
    ),
    log_partitions=1,
)


def fresh_prefix() -> str:
    """Return a prefix of topics that no other test has."""
    return f"{uuid.uuid4().hex[:8]}."


@asynccontextmanager
async def opened(
    servers: str, prefix: str, count: int = 1, table: Table = TABLE, **options: object
) -> AsyncGenerator[list[KafkaAdapter]]:
    """Yield some adapters, as of gateways on different machines, that serve one table."""
    settings: Mapping[str, object] = {"servers": servers, "topic_prefix": prefix, **options}
    async with AsyncExitStack() as stack:
        adapters: list[KafkaAdapter] = []
        for _ in range(count):
            adapter = KafkaAdapter.create(settings, Environment())
            stack.push_async_callback(adapter.close)
            await adapter.open()
            await adapter.prepare(table)
            adapters.append(adapter)
        yield adapters


def context() -> Context:
    """Return a context of a patient caller."""
    return Context(time.monotonic() + TIMEOUT_S)


def new_record(count: int, nonce: str = "", source: str = "s") -> NewRecord:
    """Return a record with a token of its own, or the one that is named."""
    token = IdempotencyToken(time.time_ns() // 1_000, nonce or uuid.uuid4().hex)
    return NewRecord((source,), {"count": count}, token)


async def append(adapter: KafkaAdapter, *records: NewRecord) -> tuple[AppendOutcome, ...]:
    """Append records in one call."""
    return (await adapter.execute(AppendRecords(TABLE.full_name, records), context())).outcomes


async def read(
    adapter: KafkaAdapter,
    start: LogStart | None = None,
    *,
    records_max: int = 1_000,
    wait_s: float = 0.0,
) -> LogPage:
    """Read one page."""
    operation = ReadLog(
        TABLE.full_name, 0, start or FromEarliest(), records_max, 1_000_000, wait_s=wait_s
    )
    return await adapter.execute(operation, context())


async def read_all(adapter: KafkaAdapter, records_max: int = 1_000) -> Sequence[LogRecord]:
    """Read the whole partition, page by page."""
    page = await read(adapter, records_max=records_max)
    records = list(page.records)
    while page.next_offset < page.end_offset:
        page = await read(adapter, FromOffset(page.next_offset), records_max=records_max)
        records += page.records
    return records
