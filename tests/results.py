"""Keeps what tests found out about backends, for the matrices in docs/reference.

A test attaches a record to itself as a user property; the process that collects the reports of
all workers writes them to build/results with the outcome. `docs/matrices.py` reads them.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "build" / "results"
KINDS = ("conformance", "faults")
"""The user properties that are kept, one file each."""


class Results:
    """The records of one session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, dict[str, dict[str, object]]] = {kind: {} for kind in KINDS}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the records of a test; the worst outcome of its phases is the test's."""
        # A worker that runs a group of tests alone adds the group to their names.
        test = re.sub(r"@[\w-]+$", "", report.nodeid)
        for kind, record in report.user_properties:
            if kind not in KINDS:
                continue
            before = self._found[kind].get(test, {})
            outcome = report.outcome
            if before.get("outcome") in {"failed", "skipped"}:
                outcome = before["outcome"]
            reason = before.get("reason") or ""
            if report.skipped and isinstance(report.longrepr, tuple):
                reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            self._found[kind][test] = {
                "record": record,
                "outcome": outcome,
                "reason": reason,
            }

    def pytest_sessionfinish(self) -> None:
        """Add what was found to what earlier sessions left, test by test."""
        for kind, found in self._found.items():
            if not found:
                continue
            path = self._folder / f"{kind}.json"
            known = json.loads(path.read_text()) if path.exists() else {}
            text = json.dumps({**known, **found}, indent=1, sort_keys=True)
            self._folder.mkdir(parents=True, exist_ok=True)
            # Whole or not at all, whatever ends the session.
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_text(text)
            fresh.replace(path)


def pytest_configure(config: pytest.Config) -> None:
    """Keep results in the process that sees every report, and in no worker of it."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(FOLDER), "taulu-results")
