"""What a supervisor does when the machine gives it no process."""

from __future__ import annotations

from multiprocessing.context import SpawnProcess
from types import SimpleNamespace
from typing import cast

import pytest

from taulu.gateway import GatewayOptions
from taulu.model import Unavailable
from taulu.server import supervisor
from taulu.server.supervisor import Supervisor
from taulu.server.worker import WorkerOptions


def test_a_process_that_cannot_be_started_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: SpawnProcess) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(SpawnProcess, "start", refuse)
    # The logs of the tests stay as they are.
    monkeypatch.setattr(supervisor, "configure_logs", lambda *_, **__: None)
    options = SimpleNamespace(
        log_level="info", log_json=False, drain_s=0.0, gateway=GatewayOptions({})
    )
    ready: list[bool] = []
    with pytest.raises(Unavailable, match=r"no process can be started .*temporarily unavailable"):
        Supervisor(cast("WorkerOptions", options), 2).run(lambda: ready.append(True))
    assert ready == []
