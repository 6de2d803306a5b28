"""What a machine without Docker hears: one line, or a failure where nothing may be skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.testbed import docker_engine, provision


@pytest.fixture
def without_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in for a machine of another user: no engine answers, and none may be started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    monkeypatch.setattr(provision, "KEPT", tmp_path)


@pytest.mark.usefixtures("without_docker")
def test_without_an_engine_the_tests_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="a Docker engine is not here"):
        docker_engine.running_engine().__enter__()


@pytest.mark.usefixtures("without_docker")
def test_in_ci_nothing_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="a Docker engine is not here"):
        docker_engine.running_engine().__enter__()
