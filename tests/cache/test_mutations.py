"""Each fence of the cache is needed: without it, the checker finds a breach within some seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cache.mutants import MUTANTS
from tests.cache.workload import run
from tests.cache.world import Scenario

SEEDS = range(1, 9)


@pytest.mark.parametrize(
    ("mutation", "scenario"), MUTANTS, ids=[mutation.__name__ for mutation, _ in MUTANTS]
)
def test_a_missing_fence_is_found(
    mutation: Callable[[pytest.MonkeyPatch], None],
    scenario: Scenario,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutation(monkeypatch)
    for seed in SEEDS:
        report = run(scenario, seed)
        if report.violations:
            print(report.text())
            return
    raise AssertionError(f"nothing was found in {len(SEEDS)} runs; press harder on this fence")
