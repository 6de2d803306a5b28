from __future__ import annotations

import time
from pathlib import Path

from taulu.schema import load_tables
from taulu_refunds.stores import tables_folder
from tests.testbed.demo_backends import TABLES, Restarts
from tests.testbed.server_process import ServerProcess


def test_what_was_killed_is_started_again_after_a_rest(tmp_path: Path) -> None:
    servers = [ServerProcess(name, ["sleep", "600"], tmp_path, lambda: True) for name in "ab"]
    restarts = Restarts(servers, rest_s=0.2)
    try:
        for server in servers:
            server.start()
        victim = servers[0].process
        assert victim is not None
        victim.kill()
        victim.wait(30)
        restarts.look()
        assert not servers[0].is_running, "it rests first"
        give_up = time.monotonic() + 30
        while not restarts.done and time.monotonic() < give_up:
            restarts.look()
        assert list(restarts.done) == ["a"]
        assert servers[0].is_running
        assert servers[1].process is not None
        servers[1].process.kill()
        servers[1].process.wait(30)
        restarts.wait_ready()
        assert list(restarts.done) == ["a", "b"]
        assert servers[1].is_running
    finally:
        for server in servers:
            server.stop()


def test_every_table_of_the_refund_system_has_a_place() -> None:
    assert {table.full_name for table in load_tables([tables_folder()])} == set(TABLES)
