"""PostgreSQL: sessions, standbys, doctor, purge, and logs that other gateways append to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from psycopg import OperationalError, connect

from taulu.conformance import ShiftedClock
from taulu.model import (
    AppendRecords,
    ChangeCounters,
    ConfigError,
    Consistency,
    FromEarliest,
    FromOffset,
    GetRows,
    Key,
    Level,
    LogPage,
    NewRecord,
    Put,
    ReadLog,
    Reserve,
    Row,
    Source,
    Table,
    Unavailable,
)
from taulu.model.result import RowReads
from taulu.spi import Environment
from taulu_postgres import PostgresAdapter
from taulu_postgres._driver import Call, SqlRow
from taulu_postgres.purge import MARGIN_US
from tests.integration.postgres_parts import (
    context,
    opened,
    own_tables,
    put,
    row,
    token,
    unit,
    write_all,
)
from tests.testbed.postgres_server import (
    CONNECTIONS_MAX,
    HOST,
    PASSWORD,
    PostgresServer,
    standby_of,
)
from tests.testbed.server_process import free_port

pytestmark = pytest.mark.xdist_group("postgres")

_POLLS_MAX = 200
_POLL_S = 0.05

FoundT = TypeVar("FoundT")


async def test_what_expired_leaves_the_database_and_its_versions_are_remembered(
    postgres: PostgresServer,
) -> None:
    items, bounded, short_log = own_tables("items", "bounded", "short_log")
    clock = ShiftedClock()
    async with opened(postgres, items, bounded, short_log, clock=clock) as adapter:
        await write_all(adapter, items, [unit(Put(Key(("a",)), {}, 1_000_000))])
        await put(adapter, items, Key(("b",)), {})
        reserve = Reserve(Key(("a",)), 5, "hold", 1_000_000, token())
        await adapter.execute(ChangeCounters(bounded.full_name, (reserve,)), context())
        for _ in range(3):
            record = NewRecord(("a",), {}, token())
            await adapter.execute(AppendRecords(short_log.full_name, (record,)), context())
        gone = await row(adapter, items, Key(("a",)))
        assert gone is not None
        clock.shift_us += 25 * 3_600_000_000 + MARGIN_US
        while await adapter.purge():
            pass
        namespace = items.namespace
        counts = {
            name: postgres.psql(f'SELECT count(*) FROM {namespace}."{name}"')
            for name in ("items", "bounded$holds", "short_log")
        }
        assert counts == {"items": "1", "bounded$holds": "0", "short_log": "0"}
        kept = "SELECT count(*) FROM taulu.tokens JOIN taulu.tables ON id = table_id"
        assert postgres.psql(f"{kept} WHERE name LIKE '{namespace}.%'") == "0"
        clock.shift_us = 0
        assert (await put(adapter, items, Key(("a",)), {})).version > gone.version
        record = NewRecord(("a",), {}, token())
        (appended,) = (
            await adapter.execute(AppendRecords(short_log.full_name, (record,)), context())
        ).outcomes
        assert appended.offset == 3
        read = ReadLog(short_log.full_name, appended.partition, FromEarliest(), 10, 10_000)
        page = await adapter.execute(read, context())
        assert [found.offset for found in page.records] == [3]


async def test_a_reader_is_woken_by_what_another_gateway_appends(postgres: PostgresServer) -> None:
    (events,) = own_tables("events")
    record = AppendRecords(events.full_name, (NewRecord(("a",), {}, token()),))
    async with opened(postgres, events) as reader, opened(postgres, events) as writer:
        (first,) = (await writer.execute(record, context())).outcomes

        async def wait_for_more() -> LogPage:
            behind = FromOffset(first.offset + 1)
            read = ReadLog(events.full_name, first.partition, behind, 10, 10_000, wait_s=8)
            return await reader.execute(read, context())

        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(wait_for_more()) for _ in range(5)]
            await asyncio.sleep(0.1)
            more = AppendRecords(events.full_name, (NewRecord(("a",), {}, token()),))
            await writer.execute(more, context())
        assert [[r.offset for r in task.result().records] for task in waiting] == [[1]] * 5


@contextmanager
def _role(postgres: PostgresServer, setting: str, value: str) -> Generator[None]:
    """Let the user's sessions begin with a setting."""
    postgres.psql(f"ALTER ROLE taulu SET {setting} = '{value}'")
    try:
        yield
    finally:
        postgres.psql(f"ALTER ROLE taulu RESET {setting}")


async def test_commits_are_durable_whatever_the_role_says(postgres: PostgresServer) -> None:
    with _role(postgres, "synchronous_commit", "off"):
        async with opened(postgres) as adapter:
            (rows,) = await adapter._database.read(
                [Call("SHOW synchronous_commit")], context().deadline
            )
    assert rows == [("on",)]


async def test_commits_stay_durable_whatever_the_server_is_told_later(
    postgres: PostgresServer,
) -> None:
    shown = [Call("SELECT pg_conf_load_time()::text"), Call("SHOW synchronous_commit")]
    async with opened(postgres, options={"connections_max": 1}) as adapter:

        async def settings() -> list[SqlRow]:
            return [rows[0] for rows in await adapter._database.read(shown, context().deadline)]

        loaded, before = await settings()
        assert before == ("on",)
        try:
            _reload(postgres, "SET synchronous_commit = off")
            # The one session has read the server's files again.
            (_, after) = await _until(settings, lambda found: found[0] != loaded)
        finally:
            _reload(postgres, "RESET synchronous_commit")
    assert after == ("on",)


def _reload(postgres: PostgresServer, change: str) -> None:
    """Change the server's files, and have them read."""
    postgres.psql(f"ALTER SYSTEM {change}")
    postgres.psql("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("client_encoding", "LATIN1"),
        ("client_encoding", "SQL_ASCII"),
        ("DateStyle", "German"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "-15"),
    ],
)
async def test_values_come_back_whatever_the_role_says(
    postgres: PostgresServer, setting: str, value: str
) -> None:
    (items,) = own_tables("items")
    written = {
        "text": "1 € 😀",
        "at": datetime(2026, 3, 4, 5, 6, 7, 8, UTC),
        "blob": b"\x00\\",
        "ratio": 0.1 + 0.2,
    }
    with _role(postgres, setting, value):
        async with opened(postgres, items) as adapter:
            await put(adapter, items, Key(("€",)), written)
            found = await row(adapter, items, Key(("€",)))
    assert found is not None
    assert found.columns == written


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_hold_every_string_is_refused(
    postgres: PostgresServer, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    postgres.psql(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    adapter = PostgresAdapter.create({**postgres.options(), "database": name}, Environment())
    with pytest.raises(ConfigError, match=f"encoded in {encoding}"):
        await adapter.open()
    await adapter.close()
    (trouble,) = [finding for finding in await adapter.examine() if not finding.ok]
    assert encoding in trouble.what


async def test_weak_reads_may_come_from_a_standby_and_say_so(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    key = Key(("a",))
    # What the role says is no matter here either: a standby cannot read at SERIALIZABLE.
    serializable = _role(postgres, "default_transaction_isolation", "serializable")
    with serializable, standby_of(postgres) as standby:
        replicas = {"replicas": [f"{HOST}:{standby.port}"]}
        async with opened(postgres, items, options=replicas) as adapter:

            async def read(level: Level, staleness_us: int | None = None) -> RowReads:
                asked = Consistency(level, staleness_us)
                return await adapter.execute(
                    GetRows(items.full_name, (key,), consistency=asked), context()
                )

            await put(adapter, items, key, {"count": 1})
            found = await _until(lambda: read(Level.EVENTUAL), _has_row)
            assert found.facts.source is Source.REPLICA
            assert found.facts.level is Level.EVENTUAL
            assert found.facts.as_of_us <= ShiftedClock().now_us()
            bounded = await read(Level.BOUNDED_STALENESS, 60_000_000)
            assert bounded.facts.source is Source.REPLICA
            assert bounded.facts.as_of_us >= ShiftedClock().now_us() - 60_000_000
            assert (await read(Level.BOUNDED_STALENESS, 1)).facts.source is Source.PRIMARY
            assert (await read(Level.SESSION)).facts.source is Source.PRIMARY
            standby.kill()
            assert (await read(Level.EVENTUAL)).facts.source is Source.PRIMARY


async def _until(call: Callable[[], Awaitable[FoundT]], holds: Callable[[FoundT], bool]) -> FoundT:
    for _ in range(_POLLS_MAX):
        found = await call()
        if holds(found):
            return found
        await asyncio.sleep(_POLL_S)
    raise AssertionError("it never came to hold")


def _has_row(reads: RowReads) -> bool:
    return isinstance(reads.outcomes[0], Row) and reads.facts.source is Source.REPLICA


async def test_doctor_says_what_it_found(postgres: PostgresServer) -> None:
    adapter = PostgresAdapter.create(postgres.options(), Environment())
    findings = await adapter.examine()
    assert all(finding.ok for finding in findings)
    said = "\n".join(finding.what for finding in findings)
    assert "PostgreSQL 15" in said
    assert "commits are durable" in said
    assert "of 60 connections are in use" in said
    many = PostgresAdapter.create({**postgres.options(), "connections_max": 100}, Environment())
    assert [finding.ok for finding in await many.examine()].count(False) == 1


async def test_doctor_says_whether_a_standby_may_lack_acknowledged_writes(
    postgres: PostgresServer,
) -> None:
    adapter = PostgresAdapter.create(postgres.options(), Environment())

    async def said(word: str) -> list[tuple[bool, str]]:
        return [(f.ok, f.what) for f in await adapter.examine() if word in f.what]

    assert await said("standbys") == []
    with standby_of(postgres):
        ((ok, what),) = await _until(lambda: said("standbys"), bool)
        assert not ok
        assert "no commit waits for any of 1 standbys" in what
        try:
            _reload(postgres, "SET synchronous_standby_names = '*'")
            assert await _until(lambda: said("commits wait for standbys"), bool)
        finally:
            _reload(postgres, "RESET synchronous_standby_names")


async def test_no_error_shows_a_secret(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "hunter2hunter2"
    wrong = {**postgres.options(), "password": secret}
    dsn = f"host={HOST} port={postgres.port} user=taulu dbname=taulu password={secret}"
    for options in (wrong, {"dsn": dsn}, {"dsn": dsn.replace("dbname=", "dbname=no")}):
        adapter = PostgresAdapter.create(options, Environment())
        with pytest.raises(ConfigError, match="does not let this user in") as refused:
            await adapter.open()
        await adapter.close()
        findings = await adapter.examine()
        assert [finding.ok for finding in findings] == [False]
        shown = f"{refused.value!r}{refused.value.details}{findings}{adapter._settings!r}"
        assert secret not in shown + caplog.text
    assert PASSWORD not in repr(PostgresAdapter.create(postgres.options(), Environment()))


@pytest.mark.parametrize(("given", "kept_ms"), [("", 60_000), ("?tcp_user_timeout=9000", 9_000)])
async def test_idle_connections_to_a_server_that_is_gone_are_given_up(
    postgres: PostgresServer, given: str, kept_ms: int
) -> None:
    options = postgres.options()
    dsn = f"postgresql://{options['host']}:{options['port']}/{given}"
    login = {name: options[name] for name in ("user", "password", "database")}
    adapter = PostgresAdapter.create({"dsn": dsn, **login}, Environment())
    await adapter.open()
    async with adapter._database.pool.connection(time.monotonic() + 60) as connection:
        number = connection._connection.pgconn.socket
        with socket.socket(fileno=os.dup(number)) as kept:
            assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == kept_ms
            assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    await adapter.close()


async def test_a_server_that_has_no_connection_left_is_told(postgres: PostgresServer) -> None:
    options = postgres.options()
    names = {"host": "host", "port": "port", "user": "user", "password": "password"}
    names["dbname"] = "database"
    login = {ours: options[theirs] for ours, theirs in names.items()}
    adapter = PostgresAdapter.create(options, Environment())
    with ExitStack() as stack:
        taken = [_taken(stack, login) for _ in range(CONNECTIONS_MAX + 1)]
        assert not all(taken)
        with pytest.raises(Unavailable, match="it has no connection left"):
            await adapter.open()
    # Sessions end a moment after their connections.
    give_up = time.monotonic() + 60
    while _sessions(postgres) > CONNECTIONS_MAX // 2:
        assert time.monotonic() < give_up
    await adapter.open()
    await adapter.close()


def _taken(stack: ExitStack, login: dict[str, object]) -> bool:
    with contextlib.suppress(OperationalError):
        stack.enter_context(connect(**login))  # type: ignore[arg-type] - made of options
        return True
    return False


def _sessions(server: PostgresServer) -> int:
    with contextlib.suppress(subprocess.CalledProcessError):
        return int(server.psql("SELECT count(*) FROM pg_stat_activity"))
    return CONNECTIONS_MAX


async def test_a_server_that_is_not_there_is_unavailable(postgres: PostgresServer) -> None:
    options = {**postgres.options(), "port": free_port()}
    adapter = PostgresAdapter.create(options, Environment())
    with pytest.raises(
        Unavailable, match="nothing listens there; see that it is started where `host`"
    ):
        await adapter.open()
    await adapter.close()


async def test_a_server_that_dies_while_tables_are_prepared_is_to_be_started(
    postgres: PostgresServer,
) -> None:
    (items,) = own_tables("items")
    async with opened(postgres) as adapter:
        postgres.kill()
        try:
            with pytest.raises(Unavailable) as refused:
                await adapter.prepare(items)
        finally:
            postgres.start()
    assert "see that it is started" in refused.value.message
    assert "send" not in refused.value.message


async def test_the_adapter_comes_back_by_itself(postgres: PostgresServer) -> None:
    (items,) = own_tables("items")
    async with opened(postgres, items) as adapter:
        for n in range(3):
            await _put_many(adapter, items, f"before {n}")
            postgres.kill()
            postgres.start()
            # Every connection is dead, and no call notices.
            await _put_many(adapter, items, f"after {n}")


async def _put_many(adapter: PostgresAdapter, table: Table, stem: str) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(20):
            group.create_task(put(adapter, table, Key((f"{stem} {n}",)), {"count": n}))
