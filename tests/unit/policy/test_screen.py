from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from taulu.model import (
    AppendRecords,
    ChangeCounters,
    Delete,
    Failed,
    GetCounters,
    GetRows,
    Increment,
    InvalidArgument,
    Key,
    Level,
    NewRecord,
    Operation,
    WriteRows,
    WriteUnit,
)
from taulu.policy.screen import Check, Screen
from tests.unit.policy.parts import CONTEXT, CREDITS, DrivenClock, Recorder, token

NAME = CREDITS.full_name


class RefuseBad(Check):
    """Refuses every item that has 'bad' in it."""

    def _refuse(self, item: Any) -> Any:
        if "bad" in repr(item):
            raise InvalidArgument("this one is bad")
        return item

    key = unit = change = record = _refuse


class Trace(Check):
    """Normalises keys, to see that a later check gets what an earlier one returned."""

    def key(self, key: Key) -> Key:
        return Key((f"{key.partition[0]}!",))


def batch(*names: str) -> list[Operation[Any]]:
    keys = tuple(Key((name,)) for name in names)
    return [
        GetRows(NAME, keys),
        GetCounters(NAME, keys),
        WriteRows(NAME, tuple(WriteUnit((Delete(key),), token()) for key in keys)),
        ChangeCounters(NAME, tuple(Increment(key, 1, token()) for key in keys)),
        AppendRecords(NAME, tuple(NewRecord(key.partition, {}, token()) for key in keys)),
    ]


@pytest.mark.parametrize("operation", batch("bad0", "good", "bad2", "good", "bad4"))
async def test_a_wrong_item_fails_alone_and_in_its_place(
    recorder: Recorder, clock: DrivenClock, operation: Any
):
    result = await Screen(recorder, CREDITS, (RefuseBad(),), clock)(operation, CONTEXT)
    assert [isinstance(o, Failed) for o in result.outcomes] == [True, False, True, False, True]
    assert "bad" not in repr(recorder.seen)
    assert len(recorder.seen) == 1


@pytest.mark.parametrize("operation", batch("bad0", "bad1"))
async def test_nothing_good_means_nothing_goes_on(
    recorder: Recorder, clock: DrivenClock, operation: Any
):
    table = replace(CREDITS, read_level=Level.SESSION)
    result = await Screen(recorder, table, (RefuseBad(),), clock)(operation, CONTEXT)
    assert [str(outcome.error) for outcome in result.outcomes] == ["this one is bad"] * 2
    assert recorder.seen == []


@pytest.mark.parametrize("operation", batch())
async def test_an_empty_batch_has_an_empty_answer(
    recorder: Recorder, clock: DrivenClock, operation: Any
):
    result = await Screen(recorder, CREDITS, (RefuseBad(),), clock)(operation, CONTEXT)
    assert result.outcomes == ()


async def test_checks_follow_each_other(recorder: Recorder, clock: DrivenClock):
    screen = Screen(recorder, CREDITS, (Trace(), Trace()), clock)
    await screen(GetRows(NAME, (Key(("a",)),)), CONTEXT)
    assert recorder.seen[0].keys == (Key(("a!!",)),)
