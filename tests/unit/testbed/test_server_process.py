from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testbed.server_process import (
    ServerProcess,
    answers,
    descendants,
    free_port,
)

# A server with a child in a session of its own, as PostgreSQL has them.
SERVER = """
import os, signal, socket, sys, time
if (child := os.fork()) == 0:
    os.setsid()
    while os.getppid() != 1:
        time.sleep(0.05)
    os._exit(0)
# Who runs the tests in the background of a script may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("it listens", flush=True)
while True:
    listening.accept()[0].close()
"""
PATIENCE_S = 10.0


def server(folder: Path, mood: str = "calm") -> ServerProcess:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port), mood]
    return ServerProcess("small", command, folder, lambda: answers("127.0.0.1", port))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ServerProcess]:
    started = server(tmp_path)
    started.start()
    yield started
    started.kill()


def until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def state(pid: int) -> str:
    """Return the letter of a process's state; Z when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def family(running: ServerProcess) -> list[int]:
    assert running.process is not None
    until(lambda: len(descendants(running.process.pid)) == 1)
    return [running.process.pid, *descendants(running.process.pid)]


def test_a_pause_stops_children_in_other_sessions_too(running: ServerProcess) -> None:
    pids = family(running)
    assert len({os.getsid(pid) for pid in pids}) == 2
    running.pause()
    until(lambda: all(state(pid) == "T" for pid in pids))
    running.resume()
    until(lambda: all(state(pid) in "RS" for pid in pids))


def test_a_kill_ends_all_also_while_paused(running: ServerProcess) -> None:
    pids = family(running)
    running.pause()
    running.kill()
    assert not running.is_running
    until(lambda: all(state(pid) == "Z" for pid in pids))


def test_a_server_comes_back_on_its_port(running: ServerProcess) -> None:
    running.kill()
    running.start()
    assert running.is_running
    assert running.log_tail().splitlines() == ["it listens"] * 2


def test_one_that_does_not_end_when_asked_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.testbed.server_process.STOP_S_MAX", 0.5)
    stubborn = server(tmp_path, "stubborn")
    stubborn.start()
    pid = stubborn.process.pid if stubborn.process is not None else 0
    stubborn.stop()
    assert not stubborn.is_running
    assert state(pid) == "Z"
    stubborn.stop()


def test_stopping_sends_the_signal_that_the_server_wants(tmp_path: Path) -> None:
    port = free_port()
    quick = ServerProcess(
        "quick",
        [sys.executable, "-c", SERVER, str(port), "stubborn"],
        tmp_path,
        lambda: answers("127.0.0.1", port),
        stop_signal=signal.SIGINT,
    )
    quick.start()
    quick.stop()
    assert "KeyboardInterrupt" in quick.log_tail()


def test_one_that_ends_by_itself_shows_its_log(tmp_path: Path) -> None:
    broken = ServerProcess(
        "broken", [sys.executable, "-c", "raise SystemExit('no room')"], tmp_path, lambda: False
    )
    with pytest.raises(AssertionError, match="broken ended by itself:\nno room"):
        broken.start()


def test_one_that_is_not_ready_in_time_is_an_error_and_can_be_ended(tmp_path: Path) -> None:
    slow = server(tmp_path)
    slow.is_ready = lambda: False
    slow.start_s_max = 0.3
    with pytest.raises(AssertionError, match="not ready in time"):
        slow.start()
    slow.kill()
    assert not slow.is_running


def test_ports_are_none_that_clients_are_given() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 40
    assert max(ports) < lowest
