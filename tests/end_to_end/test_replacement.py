"""Workers that end by themselves, and cannot be replaced at once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from taulu_client.sync import SyncClient
from tests.end_to_end.test_gateway import EXAMPLES, PATIENT
from tests.end_to_end.waiting import until
from tests.testbed.gateway_process import GatewayProcess


@pytest.fixture
def pair(tmp_path: Path):
    running = GatewayProcess(
        tmp_path / "gateway", [EXAMPLES], workers=2, settings="log: {format: json}"
    )
    running.start()
    yield running
    running.close()


def test_a_worker_that_cannot_be_replaced_takes_no_other_with_it(pair: GatewayProcess) -> None:
    # As if the file was another server's, so that no worker more can open it.
    lock = pair.folder / "taulu-data" / "taulu.db.lock"
    holder = lock.read_text()
    lock.write_text("1 another-server")
    os.kill(pair.worker_pids()[0], signal.SIGKILL)
    until(lambda: "no worker could be started" in pair.errors())
    assert "in use by another server" in pair.errors()
    with SyncClient(pair.address, timeout_s=30, options=PATIENT) as client:
        client.table("demo.users").put({"user_id": "ada"})
    lock.write_text(holder)
    until(lambda: len(pair.worker_pids()) == 2)
    assert pair.stop() == 0


def test_the_loss_of_a_worker_is_logged_as_the_settings_say(pair: GatewayProcess) -> None:
    (lost, _) = pair.worker_pids()
    os.kill(lost, signal.SIGKILL)
    until(lambda: "worker ended" in pair.errors())
    (line,) = [line for line in pair.errors().splitlines() if "worker ended" in line]
    assert (json.loads(line)["level"], json.loads(line)["pid"]) == ("error", lost)
