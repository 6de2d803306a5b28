from __future__ import annotations

import pytest

from tests.unit.policy.parts import DrivenClock, Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()
