"""`taulu doctor` on live backends of every kind, and on dead ones."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from taulu.cli.exits import Exit
from taulu.model import Unavailable
from taulu.spi import Environment, load_adapter
from tests.testbed.kafka_cluster import KafkaCluster
from tests.testbed.postgres_server import PASSWORD, PostgresServer
from tests.testbed.redis_servers import Standalone
from tests.testbed.server_process import free_port

pytestmark = pytest.mark.xdist_group("cassandra")

TABLES = Path(__file__).parents[2] / "clients" / "refunds" / "taulu_refunds" / "tables"
ANSWER_S_MAX = 120
"""Far more than doctor takes; what hangs takes longer."""


def doctor(folder: Path, **storage: Mapping[str, object]) -> tuple[int, list[dict[str, Any]], str]:
    """Run it on these targets; return its exit code, its findings, and all that it printed."""
    settings = folder / "taulu.yaml"
    embedded = {"adapter": "embedded", "path": str(folder / "taulu.db")}
    described = {"tables": [str(TABLES)], "storage": {"embedded": embedded, **storage}}
    settings.write_text(json.dumps(described))  # which is YAML, without anchors
    done = subprocess.run(
        [sys.executable, "-m", "taulu.cli.main", "doctor", "--config", str(settings), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=ANSWER_S_MAX,
    )
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, findings, done.stdout + done.stderr


def test_doctor_reaches_every_backend_and_says_what_it_found(
    tmp_path: Path,
    cassandra_node: Mapping[str, object],
    redis_alone: Standalone,
    postgres: PostgresServer,
    kafka_broker: KafkaCluster,
) -> None:
    servers = {"servers": kafka_broker.bootstrap}
    asked = {
        "cassandra": {"adapter": "cassandra", **cassandra_node},
        "redis": {"adapter": "redis", **redis_alone.options},
        "postgres": {"adapter": "postgres", **postgres.options()},
        "kafka": {"adapter": "kafka", **servers},
    }
    code, findings, printed = doctor(tmp_path, **asked)
    give_up = time.monotonic() + ANSWER_S_MAX
    # Servers that have just started may be slower than it waits.
    while code and time.monotonic() < give_up:
        code, findings, printed = doctor(tmp_path, **asked)
    assert code == 0, printed
    said = {
        of: "; ".join(f["what"] for f in findings if f["of"] == of)
        for of in ("settings", "tables", *(f"storage {name}" for name in _SAID))
    }
    assert all(finding["ok"] and not finding["mend"] for finding in findings)
    assert "8 tables are sound" in said["tables"]
    for name, words in _SAID.items():
        assert words in said[f"storage {name}"], said
    assert PASSWORD not in printed


_SAID = {
    "cassandra": "1 of 1 nodes of dc1 are up",
    "redis": "what is acknowledged is on its disk",
    "postgres": "commits are durable",
    # Topics of other tests are on this one broker, too; they are not for the doctor to judge.
    "kafka": "no topic was looked at",
}


@pytest.fixture
def silent_port() -> Generator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def targets_at(port: int) -> dict[str, dict[str, object]]:
    """Return a target of every way to a backend, all at one port."""
    at = f"127.0.0.1:{port}"
    nodes = {"contact_points": ["127.0.0.1", "127.0.0.2"], "local_dc": "dc1", "port": port}
    redis = {"adapter": "redis", "nodes": [at]}
    login = {"user": "taulu", "password": PASSWORD, "database": "taulu"}
    return {
        "cassandra": {"adapter": "cassandra", "replication": {"dc1": 1}, **nodes},
        "redis": redis,
        "sentinel": {**redis, "mode": "sentinel", "service": "taulu"},
        "redis_cluster": {**redis, "mode": "cluster"},
        "postgres": {"adapter": "postgres", "host": "127.0.0.1", "port": port, **login},
        "kafka": {"adapter": "kafka", "servers": at},
    }


def assert_each_is_wrong(targets: Mapping[str, object], findings: list[dict[str, Any]]) -> None:
    for name in targets:
        wrong = [f for f in findings if f["of"] == f"storage {name}" and not f["ok"]]
        assert len(wrong) == 1, (name, findings)
        assert "127.0.0.1" in wrong[0]["what"]
        assert wrong[0]["mend"]
        # Nobody has sent anything.
        assert "send" not in wrong[0]["what"] + wrong[0]["mend"]
    others = [f for f in findings if f["of"].removeprefix("storage ") not in targets]
    assert all(finding["ok"] for finding in others), others


def test_doctor_says_which_backends_refuse(tmp_path: Path) -> None:
    targets = targets_at(free_port())
    code, findings, printed = doctor(tmp_path, **targets)
    assert code == Exit.FAILED, printed
    assert_each_is_wrong(targets, findings)
    assert "Traceback" not in printed
    assert PASSWORD not in printed


@pytest.mark.parametrize("name", targets_at(0))
async def test_a_gateway_that_reaches_no_backend_says_what_to_start_or_to_mend(name: str) -> None:
    target = dict(targets_at(free_port())[name])
    adapter = load_adapter(str(target.pop("adapter"))).create(target, Environment())
    try:
        with pytest.raises(Unavailable) as refused:
            await adapter.open()
    finally:
        await adapter.close()
    said = refused.value.message
    assert "127.0.0.1" in said
    assert "send" not in said
    assert "start" in said or "check `contact_points`" in said


def test_doctor_says_which_backends_are_silent(tmp_path: Path, silent_port: int) -> None:
    targets = targets_at(silent_port)
    code, findings, printed = doctor(tmp_path, **targets)
    assert code == Exit.FAILED, printed
    assert_each_is_wrong(targets, findings)
    assert "Traceback" not in printed


def test_doctor_says_that_a_password_is_wrong(tmp_path: Path, postgres: PostgresServer) -> None:
    wrong = "mistyped-9f31"
    options = {**postgres.options(), "password": wrong}
    code, findings, printed = doctor(tmp_path, postgres={"adapter": "postgres", **options})
    assert code == Exit.FAILED, printed
    assert_each_is_wrong({"postgres": {}}, findings)
    (finding,) = [f for f in findings if not f["ok"]]
    assert "password" in finding["what"] + finding["mend"]
    assert wrong not in printed


def test_doctor_names_a_target_that_is_wrong_and_the_tables_on_it(tmp_path: Path) -> None:
    code, findings, printed = doctor(
        tmp_path, embedded={"adapter": "embeded"}, redis={"adapter": "redis", "node": "x"}
    )
    assert code == Exit.FAILED, printed
    said = [finding["what"] for finding in findings if finding["of"] == "tables"]
    assert len(said) == 8
    assert all("storage 'embedded' is wrong" in what for what in said)
    assert "did you mean 'embedded'?" in printed
    assert "no option 'node'; did you mean 'nodes'?" in printed
