"""The workload notices what it should: each adapter here breaks one promise of many."""

from __future__ import annotations

import asyncio

import pytest

from taulu.spi import Environment
from tests.faults import fragile
from tests.faults.calls import Pace
from tests.faults.fragile import Fragile
from tests.faults.tables import fault_tables
from tests.faults.workload import Expect, Report, Steps, observe_fault, run_under_fault

QUICK = Pace(healthy_s=0.3, fault_s=0.3, call_s=0.3, grace_s=0.5, rest_s=0.004, setback_s=0.01)
REFUSES = Expect(serves=False, failover_s=0.5, recovery_s=1.0)
SERVES = Expect(serves=True, failover_s=0.5, recovery_s=1.0)

BROKEN: list[tuple[type[Fragile], tuple[str, ...]]] = [
    (fragile.LosesWrites, ("a note acknowledged",)),
    (fragile.GoesBack, ("its writer reads",)),
    (fragile.ForgetsTokens, ("but its changes make",)),
    (fragile.DoublesRecords, ("is read 2 times",)),
    (fragile.PassesBounds, ("past its bounds",)),
    (fragile.IgnoresConditions, ("no order of its calls",)),
    (fragile.ReadsStale, ("no order of its calls",)),
    (fragile.DeniesWrites, ("a note refused", "no order of its calls")),
    (fragile.DeniesChanges, ("but its changes make",)),
    (fragile.DeniesRecords, ("refused as not done, is read",)),
    (fragile.Hangs, ("with a deadline of",)),
    (fragile.RaisesWhatTheDriverRaises, ("no TauluError: ConnectionResetError",)),
    (fragile.LosesRecords, ("is lost",)),
    (fragile.TellsWrongOffsets, ("is read at",)),
    (fragile.ShowsUndoneRecords, ("a reader saw record",)),
    (fragile.AnswersTooFew, ("3 items were sent, 2 answered",)),
    (fragile.NeverComesBack, ("it took 0 writes",)),
    (fragile.NeverSettles, ("stay unknown",)),
    (fragile.ServesOn, ("must refuse under the fault",)),
]


async def observe(adapter_type: type[Fragile], expect: Expect, seed: int | None = None) -> Report:
    adapter = adapter_type(Environment())
    tables = fault_tables(adapter.capabilities)
    for table in tables.all():
        await adapter.prepare(table)
    fault = Steps(adapter.break_down, adapter.mend)
    return await observe_fault(
        adapter.execute, tables, fault=fault, expect=expect, seed=seed, pace=QUICK
    )


async def test_an_honest_store_that_is_cut_off_passes() -> None:
    report = await observe(Fragile, REFUSES)
    assert report.violations == []
    assert report.counts["accounts fault"]["unknown"] > 0
    assert report.counts["accounts fault"]["refused"] > 0


async def test_a_store_that_serves_on_passes_where_it_must() -> None:
    assert (await observe(fragile.ServesOn, SERVES)).violations == []


async def test_a_store_that_does_not_serve_where_it_must_is_noticed() -> None:
    report = await observe(Fragile, SERVES)
    assert "it must serve under the fault, but took 0 writes" in report.text()


@pytest.mark.parametrize(("adapter_type", "whats"), BROKEN)
async def test_a_broken_promise_is_noticed(
    adapter_type: type[Fragile], whats: tuple[str, ...]
) -> None:
    report = await observe(adapter_type, REFUSES)
    for what in whats:
        assert any(what in violation for violation in report.violations), report.text()


async def test_a_failure_shows_the_seed_the_key_and_its_calls() -> None:
    adapter = fragile.DeniesRecords(Environment())
    tables = fault_tables(adapter.capabilities)
    for table in tables.all():
        await adapter.prepare(table)
    fault = Steps(adapter.break_down, adapter.mend)
    with pytest.raises(AssertionError) as failed:
        await run_under_fault(
            adapter.execute, tables, fault=fault, expect=REFUSES, seed=7, pace=QUICK
        )
    text = str(failed.value)
    assert "TAULU_SEED=7" in text
    assert "lines-source-" in text
    assert "UNAVAILABLE (the store is cut off)" in text


async def test_what_was_broken_is_mended_when_the_injection_fails() -> None:
    adapter = Fragile(Environment())
    tables = fault_tables(adapter.capabilities)
    for table in tables.all():
        await adapter.prepare(table)
    mended = asyncio.Event()

    async def inject() -> None:
        raise OSError("no such process")

    async def mend() -> None:
        mended.set()

    with pytest.raises((OSError, ExceptionGroup)):
        await observe_fault(
            adapter.execute, tables, fault=Steps(inject, mend), expect=REFUSES, pace=QUICK
        )
    assert mended.is_set()
