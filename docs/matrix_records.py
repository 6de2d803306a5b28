"""What tests found out, boiled down to what stays the same from run to run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

Matrices: TypeAlias = dict[str, dict[str, Any]]
"""Parts by name: `suite: <way>, <path>` and `fault: <backend>, <fault>, <extent>`."""

FEATURES_REFUSED = "test_every_undeclared_feature_is_refused"
LEVELS_REFUSED = "test_every_undeclared_level_is_refused"
KINDS_REFUSED = "test_tables_that_cannot_be_served_are_known_before_they_are_opened"
READ_LEVELS_HELD = "test_replies_say_what_they_delivered"
WRITE_LEVELS_HELD = "test_a_write_at_every_declared_level_is_read_back"
_UNDECLARED = "not declared"


def recorded(folder: Path) -> Matrices:
    """Return what the tests left in a folder."""
    return {**_suites(_read(folder / "conformance.json")), **_faults(_read(folder / "faults.json"))}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    return json.loads(path.read_text()) if path.exists() else {}


def _suites(tests: dict[str, dict[str, Any]]) -> Matrices:
    """Return one part per way of keeping tables and path to it."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for found in tests.values():
        record = found["record"]
        name = f"suite: {record['way']}, {record['path']}"
        grouped.setdefault(name, []).append(found)
    return {name: _suite(found) for name, found in sorted(grouped.items())}


def _suite(found: list[dict[str, Any]]) -> dict[str, Any]:
    first = found[0]["record"]
    passed = [test["record"] for test in found if test["outcome"] == "passed"]
    skipped = [test for test in found if test["outcome"] == "skipped"]
    undeclared = [test for test in skipped if test["reason"].startswith(_UNDECLARED)]
    others = Counter(test["reason"] for test in skipped if test not in undeclared)
    needs = Counter(need for record in passed for need in record["needs"])
    return {
        "adapter": first["adapter"],
        "way": first["way"],
        "path": first["path"],
        "passed": len(passed),
        "undeclared": len(undeclared),
        "inapplicable": dict(sorted(others.items())),
        "broken": sorted(test["record"]["test"] for test in found if test["outcome"] == "failed"),
        "kinds": {kind: needs[kind] for kind in first["kinds"]},
        "features": {feature: needs[feature] for feature in first["features"]},
        "read_levels": _levels(first["read_levels"], READ_LEVELS_HELD, passed),
        "write_levels": _levels(first["write_levels"], WRITE_LEVELS_HELD, passed),
        "refuses": sorted(
            {record["test"] for record in passed}
            & {FEATURES_REFUSED, LEVELS_REFUSED, KINDS_REFUSED}
        ),
    }


def _levels(declared: list[str], test: str, passed: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many tests held each level: the suite runs at the strongest, one test at all."""
    tried = sum(record["test"] == test for record in passed)
    return {level: len(passed) if level == declared[-1] else tried for level in declared}


def _faults(tests: dict[str, dict[str, Any]]) -> Matrices:
    """Return one part per cell."""
    parts: Matrices = {}
    for test, found in sorted(tests.items()):
        record = found["record"]
        name = f"fault: {record['backend']}, {record['fault']}, {record['extent']}, {test}"
        held = record["held"] and found["outcome"] == "passed"
        parts[name] = {
            "backend": record["backend"],
            "fault": record["fault"],
            "extent": record["extent"],
            "test": test,
            "serves": record["serves"],
            "broken": [] if held else [test],
        }
    return parts
