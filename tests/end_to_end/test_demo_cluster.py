"""`make demo BACKEND=cluster`, in small: every table on a real server, while some are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.testbed.server_process import descendants

ROOT = Path(__file__).parents[2]
SMALL = ("--customers", "200", "--claims", "100", "--days", "2", "--deciders", "3", "--kills", "2")
GONE_S_MAX = 120.0


def command(folder: Path, *arguments: str) -> Sequence[str]:
    # The data is kept where `make demo` keeps it, so that it is fetched once.
    cache = ROOT / "build" / "data"
    cache.mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    (folder / "data").symlink_to(cache)
    run = (sys.executable, "-m", "tests.testbed.demo_cluster", "--folder", str(folder))
    return (*run, *arguments)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_refund_loop_holds_on_real_servers_while_some_are_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "build", *SMALL),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]
    assert "8 tables on cassandra, kafka, postgres, redis" in done.stdout
    assert "All 22 checks passed" in done.stdout
    (killed,) = [line for line in done.stdout.splitlines() if line.startswith("Killed with")]
    assert "kafka-1" in killed
    assert "cassandra-" in killed


def test_an_interrupted_demo_leaves_no_server_behind(tmp_path: Path) -> None:
    # Outside of pytest's own folders, which the user that PostgreSQL runs as may not enter.
    kept_in = Path(tempfile.mkdtemp())
    kept_in.chmod(0o755)
    # A session of its own, so that what ends it is the one signal.
    process = subprocess.Popen(
        command(tmp_path / "build", *SMALL),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(kept_in)},
    )
    assert process.stdout is not None
    try:
        said = ""
        while "Kafka" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        # Redis, PostgreSQL and Kafka are up, and Cassandra is being started.
        servers = descendants(process.pid)
        assert len(servers) >= 5
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=GONE_S_MAX)
        assert process.returncode == 130, said + rest
        assert "every server is stopped" in rest
        wait_until_gone(servers)
        assert list(kept_in.iterdir()) == []
    finally:
        if process.poll() is None:
            for pid in [process.pid, *descendants(process.pid)]:
                os.kill(pid, signal.SIGKILL)
        process.stdout.close()
        process.wait(GONE_S_MAX)
        shutil.rmtree(kept_in)


def wait_until_gone(pids: Sequence[int]) -> None:
    give_up = time.monotonic() + GONE_S_MAX
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids):
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_server_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "build"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=GONE_S_MAX,
        check=False,
        # Nothing is found there, nor anything that could install it.
        env={**os.environ, "PATH": tempfile.gettempdir()},
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "redis-server is not here" in done.stderr
    assert "install the package redis-server" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backend_that_there_is_none_of_is_refused() -> None:
    done = subprocess.run(
        ["make", "demo", "BACKEND=oracle"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=GONE_S_MAX,
        check=False,
    )
    assert done.returncode == 2
    assert "no BACKEND 'oracle'; it is embedded (the default) or cluster" in done.stderr
