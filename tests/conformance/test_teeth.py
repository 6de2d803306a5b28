"""The suite notices what it should: each test breaks one promise of the memory adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from taulu.conformance import ConformanceSuite, ShiftedClock, tables_for
from taulu.conformance.refusal_promises import _operations_that_need
from taulu.conformance.subject import Subject
from taulu.model import (
    Absent,
    ChangeCounters,
    Commit,
    Failed,
    GetRows,
    Key,
    Kind,
    Level,
    Row,
    RowReads,
    TauluError,
    Update,
    WriteRows,
)
from taulu.spi import Capabilities, Context, Feature
from taulu.spi.requirements import features_of
from taulu_memory import MemoryAdapter, adapter
from tests.conformance.adapters import direct
from tests.conformance.broken import (
    clear_other_columns,
    drop_duplicate_keys,
    forget_tokens,
    grow_partitions_without_limit,
    ignore_exclusive_bounds,
    ignore_holds,
    inherit_ttl,
    keep_expired_holds,
    keep_half_of_a_unit,
    let_log_times_step_back,
    number_pages,
    overwrite_first_write,
    show_expired_rows,
    spread_records_at_random,
    store_none,
    take_any_effect_for_a_token,
    take_versions_from_the_clock,
    wrap_around,
)

Patch = pytest.MonkeyPatch
_NOTICED = (AssertionError, TauluError, ValueError, ExceptionGroup, pytest.fail.Exception)


@asynccontextmanager
async def subject_of(adapter_type: type[MemoryAdapter]) -> AsyncGenerator[Subject]:
    harness = direct(adapter_type, {}, is_durable=False)
    clock = ShiftedClock()
    async with harness.start(tables_for(adapter_type.capabilities), clock) as execute:
        yield Subject(harness, execute, clock)


async def assert_noticed(test: str, adapter_type: type[MemoryAdapter] = MemoryAdapter) -> None:
    async with subject_of(adapter_type) as subject:
        try:
            await getattr(ConformanceSuite(), test)(subject)
        except _NOTICED:
            return
    raise AssertionError(f"{test} passes on an adapter that breaks its promise")


BROKEN: list[tuple[Callable[[Patch], None], str]] = [
    (inherit_ttl, "test_an_overwrite_does_not_inherit_the_old_ttl"),
    (overwrite_first_write, "test_first_write_wins_and_is_not_overwritten"),
    (overwrite_first_write, "test_of_50_writers_of_an_absent_row_one_wins"),
    (keep_half_of_a_unit, "test_one_failed_condition_leaves_nothing_of_the_unit"),
    (forget_tokens, "test_a_resent_write_changes_nothing_and_has_the_first_outcome"),
    (forget_tokens, "test_each_counter_change_is_resent_without_effect"),
    (forget_tokens, "test_a_resent_record_is_one_record_at_one_offset"),
    (forget_tokens, "test_racing_resends_are_one_effect"),
    (forget_tokens, "test_racing_appends_lose_and_double_nothing"),
    (take_any_effect_for_a_token, "test_one_token_for_two_effects_is_refused"),
    (take_any_effect_for_a_token, "test_one_token_for_two_counter_changes_is_refused"),
    (take_any_effect_for_a_token, "test_one_token_for_two_records_is_refused"),
    (show_expired_rows, "test_an_expired_row_is_absent_from_every_read"),
    (show_expired_rows, "test_an_expired_row_is_absent_from_conditions"),
    (show_expired_rows, "test_expired_rows_do_not_count_against_a_partition"),
    (ignore_holds, "test_holds_count_against_the_bounds"),
    (ignore_holds, "test_counters_with_holds_are_linearizable"),
    (take_versions_from_the_clock, "test_versions_grow_when_the_clock_steps_back"),
    (number_pages, "test_pages_are_stable_under_writes"),
    (number_pages, "test_a_damaged_page_position_is_refused"),
    (ignore_exclusive_bounds, "test_ranges_hold_exactly_what_lies_between"),
    (keep_expired_holds, "test_an_expired_hold_is_gone"),
    (spread_records_at_random, "test_records_of_a_key_stand_in_one_partition_in_order"),
    (let_log_times_step_back, "test_log_times_do_not_step_back_with_the_clock"),
    (store_none, "test_none_is_not_stored"),
    (clear_other_columns, "test_an_update_keeps_the_other_columns_and_clears_with_none"),
    (grow_partitions_without_limit, "test_a_partition_does_not_grow_past_its_limit"),
    (drop_duplicate_keys, "test_a_missing_key_is_data_and_order_and_count_are_kept"),
    (wrap_around, "test_arithmetic_does_not_wrap"),
    (wrap_around, "test_racing_increments_stop_at_the_ceiling"),
]


@pytest.mark.parametrize(("break_it", "test"), BROKEN)
async def test_a_broken_promise_is_noticed(
    break_it: Callable[[Patch], None], test: str, monkeypatch: Patch
) -> None:
    break_it(monkeypatch)
    await assert_noticed(test)


class CheckThenAct(MemoryAdapter):
    """Looks, lets others in, and then writes what it decided from its look."""

    async def _write_rows(self, operation: WriteRows, table, context: Context):
        held = self._held[table.full_name].rows
        try:
            for unit in operation.units:
                for index, condition in enumerate(unit.conditions):
                    held._check(index, condition, self._clock.now_us())
        except TauluError as error:
            return adapter.WriteResults((Failed(error),), adapter._facts(0, []))
        await asyncio.sleep(0)
        blind = tuple(replace(unit, conditions=()) for unit in operation.units)
        return await super()._write_rows(replace(operation, units=blind), table, context)

    async def _change_counters(self, operation: ChangeCounters, table, context: Context):
        counters = self._held[table.full_name].counters
        before = {c.key: counters.get(c.key, self._clock.now_us()) for c in operation.changes}
        await asyncio.sleep(0)
        for key, counter in before.items():
            if key in counters.held:
                counters.held[key].value = counter.value
        return await super()._change_counters(operation, table, context)


class StaleReader(MemoryAdapter):
    """Serves every read from what it saw at the read before."""

    async def _get_rows(self, operation: GetRows, table, context: Context) -> RowReads:
        fresh = await super()._get_rows(operation, table, context)
        seen: dict[Key, Row | Absent] = self.__dict__.setdefault("seen", {})
        stale = tuple(seen.get(k, o) for k, o in zip(operation.keys, fresh.outcomes, strict=True))
        seen.update(zip(operation.keys, fresh.outcomes, strict=True))
        return RowReads(stale, fresh.facts)


class HalfReader(MemoryAdapter):
    """Reads the rows of one batch at different moments."""

    async def _get_rows(self, operation: GetRows, table, context: Context) -> RowReads:
        parts = []
        for key in operation.keys:
            alone = replace(operation, keys=(key,))
            parts.append(await super()._get_rows(alone, table, context))
            await asyncio.sleep(0)
        return RowReads(tuple(part.outcomes[0] for part in parts), parts[0].facts)


@pytest.mark.parametrize(
    ("adapter_type", "test"),
    [
        (CheckThenAct, "test_of_50_writers_of_an_absent_row_one_wins"),
        (CheckThenAct, "test_rows_are_linearizable"),
        (CheckThenAct, "test_counters_with_holds_are_linearizable"),
        (StaleReader, "test_rows_are_linearizable"),
        (HalfReader, "test_readers_never_see_half_a_unit"),
    ],
)
async def test_a_race_is_noticed(
    adapter_type: type[MemoryAdapter], test: str, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("TAULU_SEED", "7")
    await assert_noticed(test, adapter_type)


class KeepsCleared(MemoryAdapter):
    """Keeps a column that an update sets to None."""

    async def _write_rows(self, operation: WriteRows, table, context: Context):
        units = tuple(
            replace(unit, mutations=tuple(_without_none(m) for m in unit.mutations))
            for unit in operation.units
        )
        return await super()._write_rows(replace(operation, units=units), table, context)


def _without_none(mutation):
    if not isinstance(mutation, Update):
        return mutation
    columns = {name: value for name, value in mutation.columns.items() if value is not None}
    return replace(mutation, columns=columns)


class SignBlind(MemoryAdapter):
    """Lets a hold be committed with the other sign."""

    async def _change_counters(self, operation: ChangeCounters, table, context: Context):
        changes = tuple(
            replace(change, amount=abs(change.amount))
            if isinstance(change, Commit) and change.amount
            else change
            for change in operation.changes
        )
        return await super()._change_counters(replace(operation, changes=changes), table, context)


@pytest.mark.parametrize(
    ("adapter_type", "test"),
    [
        (KeepsCleared, "test_rows_are_as_the_model_says"),
        (SignBlind, "test_counters_are_as_the_model_says"),
    ],
)
def test_a_difference_from_the_model_is_noticed(
    adapter_type: type[MemoryAdapter],
    test: str,
    pytester: pytest.Pytester,
    monkeypatch: Patch,
) -> None:
    """Runs in a process of its own: a failing program need not be made small there."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest(
        """
        from hypothesis import Phase, settings
        settings.register_profile("teeth", phases=[Phase.generate])
        settings.load_profile("teeth")
        """
    )
    pytester.makepyfile(
        f"""
        import pytest
        from taulu.conformance.model_promises import ModelPromises
        from tests.conformance.adapters import direct
        from tests.conformance.test_teeth import {adapter_type.__name__}

        class TestBroken(ModelPromises):
            @pytest.fixture
            def harness(self):
                return direct({adapter_type.__name__}, {{}}, is_durable=False)
        """
    )
    result = pytester.runpytest_subprocess("--hypothesis-seed=1", "-k", test)
    result.assert_outcomes(failed=1, deselected=1)


class Narrow(MemoryAdapter):
    """Declares as little as can be, and holds to it."""

    capabilities = Capabilities(
        kinds=frozenset({Kind.KV, Kind.WIDE, Kind.COUNTER, Kind.LOG}),
        features=frozenset(),
        read_levels=frozenset({Level.EVENTUAL}),
        write_levels=frozenset({Level.EVENTUAL}),
    )


class Careless(Narrow):
    """Declares as little, and does everything all the same."""

    async def execute(self, operation, context: Context):
        return await self._dispatch(operation, self.tables[operation.table], context)


REFUSALS = [name for name in dir(ConformanceSuite) if "refused" in name and "undeclared" in name]


@pytest.mark.parametrize("test", [*REFUSALS, "test_a_refused_write_leaves_nothing"])
async def test_what_is_not_declared_is_refused(test: str) -> None:
    async with subject_of(Narrow) as subject:
        await getattr(ConformanceSuite(), test)(subject)


@pytest.mark.parametrize("test", [*REFUSALS, "test_a_refused_write_leaves_nothing"])
async def test_doing_what_is_not_declared_is_noticed(test: str) -> None:
    await assert_noticed(test, Careless)


async def test_no_feature_is_left_out_of_the_refusals() -> None:
    async with subject_of(Narrow) as subject:
        asked: set[Feature] = set()
        for table in tables_for(Narrow.capabilities):
            for feature, operation in _operations_that_need(subject, table).items():
                assert features_of(operation) == {feature}
                asked.add(feature)
    # Retention and the order of writes are asked for by a table, not by a request.
    assert asked == set(Feature) - {Feature.RETENTION, Feature.WRITE_ORDER}


def test_a_table_that_needs_what_is_not_declared_is_refused_at_load() -> None:
    served = {table.full_name for table in tables_for(Narrow.capabilities)}
    assert "conformance.short" not in served
    assert "conformance.short_log" not in served
