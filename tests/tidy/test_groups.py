"""Tests that share a server run in one process; two of them would start it twice, and wait."""

from __future__ import annotations

import pytest

_GROUPED = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(8))
@pytest.mark.xdist_group("one")
def test_in_a_group(number):
    pathlib.Path(f"ran-in-{os.getpid()}").touch()
"""


def test_a_group_of_tests_runs_in_one_process(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_GROUPED)
    result = pytester.runpytest_subprocess("-n", "2", "--dist", "loadgroup")
    result.assert_outcomes(passed=8)
    assert len(list(pytester.path.glob("ran-in-*"))) == 1
