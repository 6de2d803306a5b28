"""What every test on real servers has."""

from __future__ import annotations

import pytest

from taulu_cassandra import examination as of_cassandra
from taulu_kafka import examination as of_kafka
from taulu_redis import examination as of_redis

_PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def patient_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a doctor wait for busy servers: what it says is tested here, and not how soon."""
    monkeypatch.setattr(of_cassandra, "_ANSWER_S_MAX", _PATIENCE_S)
    monkeypatch.setattr(of_redis, "_ANSWER_S_MAX", _PATIENCE_S)
    monkeypatch.setattr(of_kafka, "_REQUEST_S", _PATIENCE_S)
    monkeypatch.setattr(of_kafka, "_LOOK_S_MAX", _PATIENCE_S)
