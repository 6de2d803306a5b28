"""No silent weakening: whatever is not declared is refused, with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from taulu.conformance.harness import Harness
from taulu.conformance.promises import Promises
from taulu.conformance.subject import PAGE_BYTES, Subject
from taulu.conformance.tables import CONFORMANCE_TABLES, EVENTS, tables_for
from taulu.model import (
    ChangeCounters,
    Consistency,
    CounterReads,
    DeleteRange,
    FromTime,
    GetCounters,
    GetRows,
    IfAbsent,
    InvalidArgument,
    Key,
    Kind,
    Level,
    Page,
    Put,
    QueryRows,
    ReadLog,
    Reserve,
    ScanRows,
    Table,
    UnknownTable,
    Unsupported,
    Update,
    WriteRows,
    WriteUnit,
)
from taulu.model.operation import Operation
from taulu.spi import FEATURES_BY_KIND, Feature, check_table

_PAGE = Page(10, PAGE_BYTES)


class RefusalPromises(Promises):
    """Promises about what a subject does not do. They hold for every subject."""

    async def test_every_undeclared_feature_is_refused(self, subject: Subject) -> None:
        has = subject.harness.capabilities
        tried = 0
        for table in tables_for(has):
            for feature in FEATURES_BY_KIND[table.kind] - has.features:
                operation = _operations_that_need(subject, table).get(feature)
                if operation is None:
                    continue
                tried += 1
                with pytest.raises(Unsupported) as refused:
                    await subject.run(operation)
                assert feature.value in refused.value.details["missing"]
        assert tried or not _features_of_requests(has.kinds) - has.features

    async def test_every_undeclared_level_is_refused(self, subject: Subject) -> None:
        has = subject.harness.capabilities
        for table in tables_for(has):
            for level in Level:
                if table.kind is Kind.LOG:
                    continue
                if level not in has.read_levels:
                    with pytest.raises(Unsupported) as refused:
                        await subject.run(_read_at(table, level))
                    assert refused.value.details["level"] == level.name
                if level not in has.write_levels and table.kind is not Kind.COUNTER:
                    unit = WriteUnit((Put(_key(subject, table), {}),), subject.token())
                    with pytest.raises(Unsupported) as refused:
                        await subject.run(WriteRows(table.full_name, (unit,), level))
                    assert refused.value.details["level"] == level.name

    async def test_a_refused_write_leaves_nothing(self, subject: Subject) -> None:
        has = subject.harness.capabilities
        for table in tables_for(has):
            if table.kind not in (Kind.KV, Kind.WIDE):
                continue
            key = _key(subject, table)
            for feature, operation in _operations_that_need(subject, table).items():
                if feature in has.features or not isinstance(operation, WriteRows):
                    continue
                with pytest.raises(Unsupported):
                    await subject.run(operation)
                assert await subject.row(table.full_name, key) is None

    async def test_a_table_of_another_kind_is_refused(self, subject: Subject) -> None:
        kinds = subject.harness.capabilities.kinds
        if Kind.LOG in kinds:
            with pytest.raises(InvalidArgument):
                await subject.run(GetRows(EVENTS, (Key((subject.name(),)),)))
        for table in tables_for(subject.harness.capabilities):
            if table.kind is not Kind.COUNTER:
                wrong: Operation[CounterReads] = GetCounters(
                    table.full_name, (_key(subject, table),)
                )
                with pytest.raises(InvalidArgument):
                    await subject.run(wrong)

    async def test_an_unknown_table_is_refused(self, subject: Subject) -> None:
        with pytest.raises(UnknownTable):
            await subject.run(ReadLog("conformance.nothing", 0, FromTime(0), 1, 1))

    async def test_tables_that_cannot_be_served_are_known_before_they_are_opened(
        self, harness: Harness
    ) -> None:
        has = harness.capabilities
        for table in CONFORMANCE_TABLES:
            fits = check_table(table, has)
            if table.kind not in has.kinds:
                assert any("serves no" in reason for reason in fits)
            too_strong = replace(table, write_level=Level.BOUNDED_STALENESS)
            if table.kind is not Kind.LOG and Level.BOUNDED_STALENESS not in has.write_levels:
                assert any("cannot write" in reason for reason in check_table(too_strong, has))


def _key(subject: Subject, table: Table) -> Key:
    partition: list[str | bytes] = [
        subject.name().encode() if column.type.name.value == "bytes" else subject.name()
        for column in table.partition_key
    ]
    clustering = (1, "a") if len(table.clustering_key) == 2 else ()
    return Key(tuple(partition), clustering)


def _features_of_requests(kinds: frozenset[Kind]) -> set[Feature]:
    """Return the features that a request can ask for, as distinct from a table."""
    asked = {feature for kind in kinds for feature in FEATURES_BY_KIND[kind]}
    return asked - {Feature.RETENTION, Feature.WRITE_ORDER}


def _read_at(table: Table, level: Level) -> Operation[object]:
    key = Key(tuple("x" for _ in table.partition_key), ())
    staleness_us = 1_000_000 if level is Level.BOUNDED_STALENESS else None
    consistency = Consistency(level, staleness_us)
    if table.kind is Kind.COUNTER:
        return GetCounters(table.full_name, (key,), consistency=consistency)
    return GetRows(table.full_name, (key,), consistency=consistency)


def _operations_that_need(subject: Subject, table: Table) -> Mapping[Feature, Operation[object]]:
    """Return one operation per feature that needs it, and as little else as can be."""
    name, token = table.full_name, subject.token()
    if table.kind is Kind.LOG:
        return {Feature.READ_FROM_TIME: ReadLog(name, 0, FromTime(0), 1, PAGE_BYTES)}
    key = _key(subject, table)
    if table.kind is Kind.COUNTER:
        reserve = Reserve(key, 1, "hold", 1_000_000, token)
        return {Feature.HOLDS: ChangeCounters(name, (reserve,))}
    if len(table.clustering_key) > 2:
        return {}
    put = Put(key, {"count": 1})
    elsewhere = Key(tuple(_another(value) for value in key.partition), key.clustering)
    units: dict[Feature, WriteUnit] = {
        Feature.CONDITIONS: WriteUnit((put,), token, (IfAbsent(key),)),
        Feature.PARTIAL_UPDATE: WriteUnit((Update(key, {"count": 1}),), token),
        Feature.ROW_TTL: WriteUnit((Put(key, {"count": 1}, 1_000_000),), token),
        Feature.TRANSACTIONS: WriteUnit((put, Put(elsewhere, {"count": 1})), token),
    }
    if table.kind is Kind.WIDE:
        units[Feature.DELETE_RANGE] = WriteUnit((DeleteRange(key.partition),), token)
    found: dict[Feature, Operation[object]] = {
        feature: WriteRows(name, (unit,)) for feature, unit in units.items()
    }
    found[Feature.SCAN] = ScanRows(name, _PAGE)
    if table.kind is Kind.WIDE:
        found[Feature.REVERSE_QUERY] = QueryRows(name, key.partition, _PAGE, reverse=True)
    return found


def _another(value: object) -> str | bytes:
    return value + b"2" if isinstance(value, bytes) else f"{value}2"
