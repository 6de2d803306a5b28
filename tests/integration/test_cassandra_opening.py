"""Tables that a node has not heard of yet, or any more, on a real node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from taulu.conformance import ShiftedClock
from taulu.model import GetRows, Key, Put, Table, Unavailable
from taulu_cassandra import kinds
from taulu_cassandra._driver import Prepared, Session
from taulu_cassandra.calls import Calls
from taulu_cassandra.layout import layout_of
from taulu_cassandra.opening import HEARD_S_MAX, compile_statements, open_table, session_options
from taulu_cassandra.settings import CassandraSettings, parse_settings
from taulu_cassandra.stored import StoredTable
from tests.integration.cassandra_parts import (
    PATIENCE_S,
    PREFIX,
    SERIAL,
    Options,
    fresh,
    opened,
    put,
    soon,
)

pytestmark = pytest.mark.xdist_group("cassandra")


@dataclass
class Watched:
    """A session that tells when a statement was refused."""

    session: Session
    refused: threading.Event = field(default_factory=threading.Event)

    def prepare(self, text: str) -> Prepared:
        try:
            return self.session.prepare(text)
        except Exception:
            self.refused.set()
            raise


@dataclass
class StillClock(ShiftedClock):
    """A clock that stands, or jumps each time it is looked at."""

    jump_s: float = 0.0
    now_s: float = 0.0

    def monotonic(self) -> float:
        self.now_s += self.jump_s
        return self.now_s


@asynccontextmanager
async def session_on(node: Options) -> AsyncGenerator[tuple[Session, CassandraSettings]]:
    settings = parse_settings({"connect_timeout_s": PATIENCE_S, **node, "keyspace_prefix": PREFIX})
    session = Session(session_options(settings))
    try:
        await asyncio.to_thread(session.connect)
        yield session, settings
    finally:
        await asyncio.to_thread(session.close)


async def compiling(
    session: Session, table: Table, clock: StillClock, when_refused: Callable[[], object]
) -> None:
    """Compile a table's statements, and do something once one was refused."""
    layout, watched = layout_of(table, PREFIX), Watched(session)
    calls = Calls(session, clock, 1, 1.0)
    stored = StoredTable(layout, watched, calls, 60, 60)  # type: ignore[arg-type]
    compiled = asyncio.create_task(
        asyncio.to_thread(compile_statements, stored, kinds.texts_of(layout), clock)
    )
    assert await asyncio.to_thread(watched.refused.wait, 60.0)
    await asyncio.to_thread(when_refused)
    await compiled


async def test_a_node_that_has_not_heard_of_a_table_is_asked_again(cassandra_node: Options) -> None:
    table = fresh("items", write_level=SERIAL)
    async with session_on(cassandra_node) as (session, settings):
        layout = layout_of(table, PREFIX)
        # Time stands, so that a busy machine may take its own to make the table.
        await compiling(session, table, StillClock(), lambda: open_table(session, layout, settings))


async def test_a_table_that_no_node_hears_of_is_unavailable(cassandra_node: Options) -> None:
    table = fresh("items", write_level=SERIAL)
    async with session_on(cassandra_node) as (session, _):
        with pytest.raises(Unavailable, match=f"{table.full_name} .*does not exist"):
            await compiling(session, table, StillClock(jump_s=HEARD_S_MAX), lambda: None)


async def test_a_table_that_was_dropped_is_unavailable_and_comes_back(
    cassandra_node: Options,
) -> None:
    table = fresh("items", write_level=SERIAL)
    key = Key(("a",))
    read = GetRows(table.full_name, (key,))
    async with (
        session_on(cassandra_node) as (session, settings),
        opened(cassandra_node, table) as adapter,
    ):
        layout = layout_of(table, PREFIX)
        await put(adapter, table, Put(key, {}))
        await asyncio.to_thread(session.run, f"DROP TABLE {layout.name}")
        with pytest.raises(Unavailable, match="does not know table"):
            await put(adapter, table, Put(key, {}))
        with pytest.raises(Unavailable, match="does not know table"):
            await adapter.execute(read, soon())
        await asyncio.to_thread(open_table, session, layout, settings)
        await put(adapter, table, Put(key, {}))
