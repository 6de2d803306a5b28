"""Reads checked against the contract under faults, by the million, in simulated time."""

from __future__ import annotations

import sys
from dataclasses import replace

from tests.cache.scenarios import SCENARIOS
from tests.cache.workload import run
from tests.cache.world import Scenario

NAMES = ("all", "losses", "outages", "partitions", "restarts", "slow")
SEEDS_MAX = 1_000


def stale_reads(reads: int) -> list[dict[str, object]]:
    """Simulate all kinds of faults in turn until so many reads were checked."""
    rows: dict[str, dict[str, object]] = {}
    done = 0
    for seed in range(1, SEEDS_MAX):
        for name in NAMES:
            report = run(_wide(SCENARIOS[name]), seed, keeps_history=False)
            done += report.checked
            for violation in report.violations:
                print(f"{name}, seed {seed}: {violation}", file=sys.stderr)
            _add(rows.setdefault(name, {"faults": name}), report.checked, report.counts)
            rows[name]["broken"] = _number(rows[name], "broken") + len(report.violations)
            latest = max(float(_number(rows[name], "latest_s")), round(report.late_s_max, 3))
            rows[name]["latest_s"] = latest
            print(f"  {done:,} of {reads:,} reads checked", file=sys.stderr, flush=True)
            if done >= reads:
                break
        if done >= reads:
            break
    total: dict[str, object] = {"faults": "in all"}
    for row in rows.values():
        for key, value in row.items():
            if isinstance(value, int | float):
                now = _number(total, key)
                total[key] = max(now, value) if key == "latest_s" else now + value
    return [*rows.values(), total]


def _wide(scenario: Scenario) -> Scenario:
    """Return a scenario with many rows, read by the hundred."""
    return replace(scenario, partitions=150, batch_max=200, write_mean_s=0.1, writers=8)


def _add(row: dict[str, object], checked: int, counts: dict[str, int]) -> None:
    row["reads"] = _number(row, "reads") + checked
    for name in ("near_cache", "shared_cache", "primary", "vouched"):
        row[name] = _number(row, name) + counts.get(name, 0)


def _number(row: dict[str, object], key: str) -> float:
    value = row.get(key, 0)
    assert isinstance(value, int | float)
    return value
