"""The processes of a server: what becomes of the others, and of files, when one is killed."""

from __future__ import annotations

import os
import select
import shutil
import signal
from pathlib import Path

import pytest

from taulu_client.sync import SyncClient
from tests.testbed.gateway_process import GatewayProcess

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "tables"


@pytest.fixture
def pair(tmp_path: Path):
    running = GatewayProcess(tmp_path / "gateway", [EXAMPLES], workers=2)
    yield running.start()
    running.close()


def test_workers_end_when_their_supervisor_is_killed_alone(pair: GatewayProcess) -> None:
    assert pair.process is not None
    ends = [os.pidfd_open(worker) for worker in pair.worker_pids()]
    assert len(ends) == 2
    pair.process.kill()
    for end in ends:
        assert select.select([end], [], [], 60)[0], "a worker outlived its supervisor"
        os.close(end)
    pair.stop()
    pair.start()


def test_the_folder_of_a_killed_server_is_removed_by_the_next_one_and_no_other(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    others = run / "taulu-notes"
    others.mkdir(parents=True)

    def server(name: str) -> GatewayProcess:
        environment = {"TMPDIR": str(run)}
        return GatewayProcess(tmp_path / name, [EXAMPLES], environment=environment).start()

    living = server("living")
    kept = set(run.iterdir())
    assert len(kept) == 2
    killed = server("killed")
    (left,) = set(run.iterdir()) - kept
    killed.kill()
    assert left.is_dir()
    after = server("after")
    assert not left.exists()
    assert kept < set(run.iterdir())
    assert (after.stop(), living.stop()) == (0, 0)
    assert set(run.iterdir()) == {others}


def test_a_worker_that_replaces_another_serves_no_empty_store(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, [EXAMPLES]).start()
    with SyncClient(gateway.address, timeout_s=60) as client:
        client.table("demo.users").put({"user_id": "ada"})
    (worker,) = gateway.worker_pids()
    shutil.rmtree(gateway.folder / "taulu-data")
    os.kill(worker, signal.SIGKILL)
    assert gateway.process is not None
    assert gateway.process.wait(60) == 2
    last = gateway.errors().splitlines()[-1]
    assert "taulu.db was deleted, moved away or emptied while the server ran" in last
    assert "restore it, and start the server again" in last
    assert "Traceback" not in gateway.errors()
    assert not (gateway.folder / "taulu-data").exists()
    gateway.close()
