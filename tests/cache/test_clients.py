"""The contract holds for rows that clients keep, under every fault that the simulation knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cache import focused
from tests.cache.client_workload import run
from tests.cache.scenarios import SCENARIOS
from tests.cache.sim_tables import TABLES
from tests.cache.test_contract import seeds

KV = tuple(table.name for table in TABLES if not table.clustering_key)


@pytest.mark.parametrize("seed", seeds())
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_read_of_a_client_breaks_the_contract(name: str, seed: int) -> None:
    report = run(replace(SCENARIOS[name], tables=KV), seed)
    print(report.text())
    assert not report.violations, report.text()
    assert report.counts["client_cache"] > 100
    assert report.counts["vouched"] > 50


@pytest.mark.parametrize("seed", seeds())
def test_no_read_of_a_client_shows_a_row_that_had_expired(seed: int) -> None:
    report = run(replace(focused.EXPIRING, tables=("expiring",)), seed)
    print(report.text())
    assert not report.violations, report.text()
    assert report.counts["client_cache"] > 100


def test_the_same_seed_gives_clients_the_same_history() -> None:
    scenario = replace(SCENARIOS["all"], tables=KV)
    one, other = (run(scenario, 5) for _ in range(2))
    assert len(one.history) > 1_000
    assert one.history == other.history
