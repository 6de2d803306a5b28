"""The workload notices what it should: each adapter here breaks one promise of many."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace

import pytest

from taulu.spi import Environment
from tests.faults import fragile
from tests.faults.calls import Pace
from tests.faults.fragile import Fragile
from tests.faults.tables import fault_tables
from tests.faults.workload import Expect, Report, Steps, observe_fault, run_under_fault

QUICK = Pace(healthy_s=0.3, fault_s=0.3, call_s=0.3, grace_s=0.5, rest_s=0.004, setback_s=0.01)
REFUSES = Expect(serves=False)
SERVES = Expect(serves=True)
IN_VAIN_S = 5.0
"""How long is waited for what never comes."""
FAILURES_MIN = 60
FAILING_S_MAX = 10.0

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
    return await observe_fault(
        adapter.execute, tables, fault=broken(adapter), expect=expect, seed=seed, pace=QUICK
    )


def broken(adapter: Fragile) -> Steps:
    """Cut an adapter off until it has failed often enough, however busy the machine is."""

    async def inject() -> None:
        # On the event loop, whose workers write to what is damaged.
        adapter.break_down()

    async def mend() -> None:
        give_up = time.monotonic() + FAILING_S_MAX
        while (  # noqa: ASYNC110 - nobody tells
            adapter.is_down and adapter.failures < FAILURES_MIN and time.monotonic() < give_up
        ):
            await asyncio.sleep(0.01)
        adapter.mend()

    return Steps(inject, mend)


async def test_an_honest_store_that_is_cut_off_passes() -> None:
    report = await observe(Fragile, REFUSES)
    assert report.violations == []
    fates = Counter[str]()
    for what, counts in report.counts.items():
        if what.startswith("accounts "):
            fates.update(counts)
    # Only while it is cut off can they be.
    assert fates["unknown"] > 0
    assert fates["refused"] > 0


async def test_a_store_that_serves_on_passes_where_it_must() -> None:
    assert (await observe(fragile.ServesOn, SERVES)).violations == []


async def test_a_store_that_does_not_serve_where_it_must_is_noticed() -> None:
    report = await observe(Fragile, replace(SERVES, failover_s=0.5))
    assert "it must serve under the fault, but took 0 writes" in report.text()


@pytest.mark.parametrize(("adapter_type", "whats"), BROKEN)
async def test_a_broken_promise_is_noticed(
    adapter_type: type[Fragile], whats: tuple[str, ...]
) -> None:
    is_in_vain = adapter_type in {fragile.NeverComesBack, fragile.NeverSettles}
    expect = replace(REFUSES, recovery_s=IN_VAIN_S) if is_in_vain else REFUSES
    report = await observe(adapter_type, expect)
    for what in whats:
        assert any(what in violation for violation in report.violations), report.text()


async def test_a_failure_shows_the_seed_the_key_and_its_calls() -> None:
    adapter = fragile.DeniesRecords(Environment())
    tables = fault_tables(adapter.capabilities)
    for table in tables.all():
        await adapter.prepare(table)
    with pytest.raises(AssertionError) as failed:
        await run_under_fault(
            adapter.execute, tables, fault=broken(adapter), expect=REFUSES, seed=7, pace=QUICK
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
