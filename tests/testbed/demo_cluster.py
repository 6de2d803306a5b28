"""`make demo BACKEND=cluster`: the refund system with every table on the backend that suits it.

Starts the servers, runs `taulu-refunds demo` on them, and kills a node of Cassandra and a broker
of Kafka while claims are decided. Every argument is handed on to the demo. Exits with the demo's
code; on Ctrl-C, SIGTERM or SIGHUP the demo and every server are ended first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import pytest
import yaml

from tests.testbed.demo_backends import DemoBackends, demo_backends
from tests.testbed.server_process import descendants

_POLL_S = 0.2
_STOP_S_MAX = 60.0
_FAILED = 1
_NOT_SET_UP = 2
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str]) -> int:
    """Run it all, and return the exit code."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="taulu-cluster-") as name:
            folder = Path(name)
            _say("Starting eight servers on loopback; this takes a minute or two")
            with demo_backends(folder, _say) as backends:
                return _run(backends, folder, arguments)
    except KeyboardInterrupt:
        _say("Interrupted; every server is stopped")
        return _INTERRUPTED
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        # What the tests skip or fail for, this cannot do without.
        return _give_up(str(missing))
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None)
        why = said.decode(errors="replace") if isinstance(said, bytes) else ""
        return _give_up(f"a server did not start: {error}\n{why}".strip())


def _run(backends: DemoBackends, folder: Path, arguments: Sequence[str]) -> int:
    """Run the demo, and see to it that what it kills comes back."""
    placement = folder / "placement.yaml"
    placement.write_text(yaml.safe_dump(backends.placement(), sort_keys=False))
    command = [sys.executable, "-m", "taulu_refunds", "demo", "--placement", str(placement)]
    command += ["--trouble", backends.trouble(), *arguments]
    restarts = backends.restarts()
    # A session of its own, so that Ctrl-C reaches it once, from here.
    demo = subprocess.Popen(command, start_new_session=True)
    try:
        while demo.poll() is None:
            restarts.look()
            time.sleep(_POLL_S)
    finally:
        _end(demo)
    # What was killed at the very end still rests, and counts.
    restarts.wait_ready()
    if not restarts.done:
        return demo.returncode or _give_up("nothing was killed in the middle", _FAILED)
    _say(f"Killed with kill -9 in the middle, and serving again: {', '.join(restarts.done)}")
    return demo.returncode


def _end(demo: subprocess.Popen[bytes]) -> None:
    """End the demo if it still runs: it stops its own gateway, unless that takes too long."""
    if demo.poll() is not None:
        return
    demo.send_signal(signal.SIGINT)
    try:
        demo.wait(_STOP_S_MAX)
    except subprocess.TimeoutExpired:
        for pid in [demo.pid, *descendants(demo.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        demo.wait(_STOP_S_MAX)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Begin to stop; whoever asks again has to wait for the servers to end."""
    del number, frame
    for known in _SIGNALS:
        signal.signal(known, signal.SIG_IGN)
    raise KeyboardInterrupt


def _give_up(why: str, code: int = _NOT_SET_UP) -> int:
    sys.stderr.write(f"demo on a cluster: {why}\n")
    return code


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
