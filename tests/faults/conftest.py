"""The fixture that runs one cell of the fault matrix and notes what came of it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from taulu.conformance import Execute
from tests.faults.cell import Cell, UnderFault
from tests.faults.tables import FaultTables
from tests.faults.workload import Expect, Fault, Pace, Report, observe_fault


@pytest.fixture
def under_fault(request: pytest.FixtureRequest) -> UnderFault:
    """Return `run_under_fault` with the cell that it fills as its first argument."""

    async def run(
        cell: Cell,
        execute: Execute,
        tables: FaultTables,
        *,
        fault: Fault,
        expect: Expect,
        pace: Pace | None = None,
    ) -> Report:
        record: dict[str, object] = {
            **asdict(cell),
            "parts": tables.names(),
            "serves": {part: expect.of(part) for part in tables.names()},
            "held": False,
        }
        request.node.user_properties.append(("faults", record))
        report = await observe_fault(execute, tables, fault=fault, expect=expect, pace=pace)
        print(report.text())
        record |= {
            "held": not report.violations,
            "seed": report.seed,
            "recovery_s": round(report.recovery_s, 2),
            "writes": {what: dict(fates) for what, fates in report.counts.items()},
            "errors": dict(report.errors),
        }
        if report.violations:
            raise AssertionError(report.text())
        return report

    return run
