"""The caching contract holds under every fault that the simulation knows."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from taulu.conformance.promises import SEED_VARIABLE
from tests.cache import focused
from tests.cache.scenarios import SCENARIOS
from tests.cache.workload import Report, run
from tests.cache.world import Scenario

SEEDS = (1, 2)
FOCUSED = {name: made for name, made in vars(focused).items() if isinstance(made, Scenario)}


def seeds() -> Sequence[int]:
    given = os.environ.get(SEED_VARIABLE)
    return SEEDS if given is None else (int(given),)


def held(scenario: Scenario, seed: int) -> Report:
    report = run(scenario, seed)
    print(report.text())
    assert not report.violations, report.text()
    return report


@pytest.mark.parametrize("seed", seeds())
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_read_breaks_the_contract(name: str, seed: int) -> None:
    report = held(SCENARIOS[name], seed)
    # What was not served by a cache, or not on the strength of the channel, proves nothing.
    assert report.counts["near_cache"] > 500
    assert report.counts["shared_cache"] > 100
    assert report.counts["vouched"] > 50


@pytest.mark.parametrize("name", FOCUSED)
def test_no_read_breaks_the_contract_where_one_fence_is_pressed_on(name: str) -> None:
    assert held(FOCUSED[name], seeds()[0]).checked > 500


def test_an_old_copy_is_given_for_an_error_to_eventual_readers_alone() -> None:
    report = held(focused.STALE, seeds()[0])
    assert report.counts["stale"] > 10
    assert report.errors["Unavailable"] > 50


def test_the_same_seed_gives_the_same_history() -> None:
    one, other = (run(SCENARIOS["all"], 5) for _ in range(2))
    assert len(one.history) > 1_000
    assert one.history == other.history
    assert run(SCENARIOS["all"], 6).history != one.history
