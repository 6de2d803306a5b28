"""The main job in small: the whole loop, processes, kills and verifier, on a few customers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from taulu_client.sync import SyncClient
from tests.testbed.gateway_process import GatewayProcess

ROOT = Path(__file__).parents[2]
SMALL = ("--customers", "300", "--claims", "150", "--days", "2")


def refunds(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "taulu_refunds", *arguments],
        capture_output=True,
        text=True,
        timeout=1_500,
        check=False,
    )


@pytest.mark.timeout(2_000)
def test_the_loop_passes_its_checks_and_the_verifier_notices_tampering(tmp_path: Path) -> None:
    # The data is kept where `make demo` keeps it, so that it is fetched once.
    folder = tmp_path / "build"
    folder.mkdir()
    cache = ROOT / "build" / "data"
    cache.mkdir(parents=True, exist_ok=True)
    (folder / "data").symlink_to(cache)
    done = refunds("demo", "--folder", str(folder), *SMALL, "--deciders", "3", "--kills", "3")
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr
    assert "All 22 checks passed" in done.stdout
    assert "GENERATED" in done.stdout
    report = json.loads((folder / "refunds-report.json").read_text())
    assert report["ok"] is True
    assert report["tally"]["killed_deciders"] == 3
    assert report["tally"]["killed_gateways"] == 1

    store = f"{{adapter: embedded, path: '{folder}/refunds/store/taulu.db'}}"
    tables = ROOT / "clients" / "refunds" / "taulu_refunds" / "tables"
    gateway = GatewayProcess(
        tmp_path / "again", [tables], settings=f"storage: {{embedded: {store}}}"
    ).start()
    verify = ("verify", "--address", gateway.address, "--folder", str(folder), *SMALL)
    try:
        assert refunds(*verify).returncode == 0
        with SyncClient(gateway.address, timeout_s=60) as client:
            decisions = client.table("refunds.decisions")
            row = next(item.row for item in decisions.scan() if item.row["amount_cents"])
            key = {n: row[n] for n in ("customer_id", "year", "decided_at", "claim_id")}
            decisions.update(key, {"amount_cents": row["amount_cents"] + 1})
        tampered = refunds(*verify)
        assert tampered.returncode == 1
        assert "FAILED cents decided, against the ledger" in tampered.stderr
    finally:
        gateway.close()


def test_a_failure_is_one_line_and_exit_code_2() -> None:
    done = refunds("verify", "--address", "127.0.0.1:1", "--folder", str(ROOT / "build"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("taulu-refunds: the gateway cannot be reached")
    assert "Traceback" not in done.stderr
