from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from taulu.model import (
    AppendRecords,
    ChangeCounters,
    Delete,
    FromEarliest,
    GetCounters,
    GetRows,
    IfPresent,
    Increment,
    Key,
    LimitExceeded,
    Limits,
    NewRecord,
    Page,
    QueryRows,
    ReadLog,
    ScanRows,
    WriteRows,
    WriteUnit,
)
from taulu.policy.batch_limits import BatchLimits
from tests.unit.policy.parts import CONTEXT, ORDERS, Recorder, token

LIMITS = Limits(batch_keys=2, batch_units=2, unit_mutations=2, page_rows=10, page_bytes=100)
TABLE = replace(ORDERS, limits=LIMITS)
KEY = Key(("a",), (1,))
UNIT = WriteUnit((Delete(KEY),), token())
NAME = TABLE.full_name


def _batches(size: int) -> list[Any]:
    return [
        GetRows(NAME, (KEY,) * size),
        GetCounters(NAME, (KEY,) * size),
        WriteRows(NAME, (UNIT,) * size),
        WriteRows(NAME, (replace(UNIT, mutations=(Delete(KEY),) * size),)),
        ChangeCounters(NAME, (Increment(KEY, 1, token()),) * size),
        AppendRecords(NAME, (NewRecord(("a",), {}, token()),) * size),
    ]


@pytest.mark.parametrize("operation", _batches(2))
async def test_a_batch_at_its_limit_passes(recorder: Recorder, operation: Any):
    await BatchLimits(recorder, TABLE)(operation, CONTEXT)
    assert recorder.seen == [operation]


@pytest.mark.parametrize("operation", _batches(3))
async def test_a_batch_past_its_limit_is_refused_by_name(recorder: Recorder, operation: Any):
    with pytest.raises(LimitExceeded) as refused:
        await BatchLimits(recorder, TABLE)(operation, CONTEXT)
    assert refused.value.details["limit"] in str(refused.value)
    assert (refused.value.details["value"], refused.value.details["sent"]) == ("2", "3")
    assert recorder.seen == []


async def test_conditions_count_as_work_of_a_unit(recorder: Recorder):
    unit = replace(UNIT, conditions=(IfPresent(KEY), IfPresent(KEY)))
    with pytest.raises(LimitExceeded, match="unit_mutations"):
        await BatchLimits(recorder, TABLE)(WriteRows(NAME, (unit,)), CONTEXT)


@pytest.mark.parametrize(
    ("asked", "given"), [((0, 0), (10, 100)), ((5, 50), (5, 50)), ((99, 999), (10, 100))]
)
async def test_pages_are_made_smaller(
    recorder: Recorder, asked: tuple[int, int], given: tuple[int, int]
):
    limits = BatchLimits(recorder, TABLE)
    await limits(QueryRows(NAME, ("a",), Page(*asked)), CONTEXT)
    await limits(ScanRows(NAME, Page(*asked)), CONTEXT)
    assert [(o.page.rows_max, o.page.bytes_max) for o in recorder.seen] == [given, given]


async def test_pages_of_logs_are_made_smaller(recorder: Recorder):
    await BatchLimits(recorder, TABLE)(ReadLog(NAME, 0, FromEarliest(), 99, 999), CONTEXT)
    assert (recorder.seen[0].records_max, recorder.seen[0].bytes_max) == (10, 100)
