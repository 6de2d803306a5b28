"""The embedded store behind gateway processes that are killed, stopped and cut off."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from taulu.conformance import Execute, ShiftedClock
from taulu.conformance.tables import STORAGE
from taulu_embedded import EmbeddedAdapter
from tests.conformance.adapters import remote
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import FaultTables, fault_tables
from tests.faults.workload import Expect, Fault, Steps
from tests.testbed.gateway_process import GatewayProcess
from tests.testbed.proxy import Proxy
from tests.testbed.table_yaml import as_yaml

TABLES: FaultTables = fault_tables(EmbeddedAdapter.capabilities)


def kill(gateway: GatewayProcess, proxy: Proxy) -> Fault:
    return Steps(gateway.kill, gateway.start)


def pause(gateway: GatewayProcess, proxy: Proxy) -> Fault:
    assert gateway.process is not None
    group = gateway.process.pid
    return Steps(lambda: os.killpg(group, signal.SIGSTOP), lambda: os.killpg(group, signal.SIGCONT))


def slow(gateway: GatewayProcess, proxy: Proxy) -> Fault:
    return Steps(lambda: proxy.slow(0.2), proxy.mend)


def silence(gateway: GatewayProcess, proxy: Proxy) -> Fault:
    return Steps(proxy.silence, proxy.mend)


def cut(gateway: GatewayProcess, proxy: Proxy) -> Fault:
    return Steps(proxy.cut, proxy.mend)


@asynccontextmanager
async def behind_a_proxy(
    folder: Path,
) -> AsyncGenerator[tuple[GatewayProcess, Proxy, Execute]]:
    described = folder / "tables.yaml"
    described.write_text("---\n".join(as_yaml(table) for table in TABLES.all()))
    store = f"{{{STORAGE}: {{adapter: embedded, path: taulu.db}}}}"
    settings = f"storage: {store}"
    gateway = GatewayProcess(folder, [described], settings=settings).start()
    try:
        host, _, port = gateway.address.rpartition(":")
        with Proxy((host, int(port))) as proxy:
            async with remote(proxy.address, ShiftedClock()) as execute:
                yield gateway, proxy, execute
    finally:
        gateway.close()


@pytest.mark.parametrize(
    ("break_it", "serves"),
    [(kill, False), (pause, False), (slow, True), (silence, False), (cut, False)],
)
async def test_the_embedded_store_keeps_its_promises_under(
    break_it: Callable[[GatewayProcess, Proxy], Fault],
    serves: bool,
    tmp_path: Path,
    under_fault: UnderFault,
) -> None:
    async with behind_a_proxy(tmp_path) as (gateway, proxy, execute):
        fault, expect = break_it(gateway, proxy), Expect(serves=serves)
        cell = Cell("embedded, behind a gateway", break_it.__name__, "one node")
        await under_fault(cell, execute, TABLES, fault=fault, expect=expect)
