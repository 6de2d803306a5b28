"""The suite that every adapter runs: subclass `ConformanceSuite`, and give it a `harness`."""

from taulu.conformance.harness import Execute, Harness, ShiftedClock, Start
from taulu.conformance.suite import ConformanceSuite
from taulu.conformance.tables import CONFORMANCE_TABLES, tables_for

__all__ = [
    "CONFORMANCE_TABLES",
    "ConformanceSuite",
    "Execute",
    "Harness",
    "ShiftedClock",
    "Start",
    "tables_for",
]
