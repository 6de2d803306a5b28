"""PostgreSQL under the checked workload, while its one primary is killed, stopped and cut off.

There is no majority to lose: one node is all there is. With it gone nothing is acknowledged,
every call ends in time with an error that says so, and the adapter comes back by itself.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from taulu.spi import Environment
from taulu_postgres import PostgresAdapter
from tests.faults.calls import Pace
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import FaultTables, fault_tables
from tests.faults.workload import Expect, Fault, Steps
from tests.testbed.postgres_server import PostgresServer, behind_proxy
from tests.testbed.proxy import Proxy

pytestmark = pytest.mark.xdist_group("postgres")

TABLES: FaultTables = fault_tables(PostgresAdapter.capabilities)
PACE = Pace(healthy_s=2.5, fault_s=3.0)
SLOW_S = 0.1
CUTS = 30
CUT_EVERY_S = 0.07


def kill(server: PostgresServer, proxy: Proxy) -> Fault:
    return Steps(server.kill, server.start)


def kill_and_restart(server: PostgresServer, proxy: Proxy) -> Fault:
    """Kill it and let it recover at once, so that commits are cut off in numbers."""

    def inject() -> None:
        for _ in range(3):
            server.kill()
            server.start()

    return Steps(inject, lambda: None)


def pause(server: PostgresServer, proxy: Proxy) -> Fault:
    return Steps(server.pause, server.resume)


def slow(server: PostgresServer, proxy: Proxy) -> Fault:
    return Steps(lambda: proxy.slow(SLOW_S), proxy.mend)


def silence(server: PostgresServer, proxy: Proxy) -> Fault:
    return Steps(proxy.silence, proxy.mend)


def cut(server: PostgresServer, proxy: Proxy) -> Fault:
    return Steps(proxy.cut, proxy.mend)


def cut_again_and_again(server: PostgresServer, proxy: Proxy) -> Fault:
    """Cut every connection many times, so that answers to COMMIT are lost in numbers."""

    def inject() -> None:
        for _ in range(CUTS):
            proxy.cut()
            proxy.mend()
            time.sleep(CUT_EVERY_S)

    return Steps(inject, lambda: None)


@asynccontextmanager
async def reached_through(proxy: Proxy, server: PostgresServer) -> AsyncGenerator[PostgresAdapter]:
    adapter = PostgresAdapter.create(server.options(proxy.port), Environment())
    await adapter.open()
    try:
        for table in TABLES.all():
            await adapter.prepare(table)
        yield adapter
    finally:
        await adapter.close()


@pytest.mark.parametrize(
    ("break_it", "serves"),
    [
        (kill, False),
        (kill_and_restart, True),
        (pause, False),
        (slow, True),
        (silence, False),
        (cut, False),
        (cut_again_and_again, True),
    ],
)
async def test_postgres_keeps_its_promises_under(
    break_it: Callable[[PostgresServer, Proxy], Fault],
    serves: bool,
    postgres: PostgresServer,
    under_fault: UnderFault,
) -> None:
    with behind_proxy(postgres) as proxy:
        async with reached_through(proxy, postgres) as adapter:
            cell = Cell("postgres, one primary", break_it.__name__.replace("_", " "), "one node")
            fault, expect = break_it(postgres, proxy), Expect(serves=serves)
            await under_fault(cell, adapter.execute, TABLES, fault=fault, expect=expect, pace=PACE)
