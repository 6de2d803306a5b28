from __future__ import annotations

from dataclasses import replace

import pytest

from taulu.model import (
    Consistency,
    Facts,
    GetRows,
    Internal,
    InvalidArgument,
    Level,
    RowReads,
    WriteRows,
)
from taulu.policy.consistency import ConsistencyLevels
from tests.unit.policy.parts import CONTEXT, ORDERS, Recorder

TABLE = replace(ORDERS, read_level=Level.SESSION, write_level=Level.QUORUM)
NAME = TABLE.full_name


async def test_the_tables_levels_are_filled_in(recorder: Recorder):
    policy = ConsistencyLevels(recorder, TABLE)
    await policy(GetRows(NAME, ()), CONTEXT)
    await policy(WriteRows(NAME, ()), CONTEXT)
    assert recorder.seen[0].consistency.level is Level.SESSION
    assert recorder.seen[1].level is Level.QUORUM


async def test_what_was_asked_stands(recorder: Recorder):
    asked = Consistency(Level.EVENTUAL)
    await ConsistencyLevels(recorder, TABLE)(GetRows(NAME, (), consistency=asked), CONTEXT)
    assert recorder.seen[0].consistency == asked


async def test_bounded_staleness_needs_a_bound(recorder: Recorder):
    asked = GetRows(NAME, (), consistency=Consistency(Level.BOUNDED_STALENESS))
    with pytest.raises(InvalidArgument, match="max_staleness"):
        await ConsistencyLevels(recorder, TABLE)(asked, CONTEXT)
    bounded = replace(TABLE, staleness_us_max=5)
    await ConsistencyLevels(recorder, bounded)(asked, CONTEXT)
    assert recorder.seen[0].consistency.staleness_us_max == 5


async def test_an_answer_weaker_than_asked_is_withheld():
    weak = Recorder(lambda _: RowReads((), Facts(Level.EVENTUAL, 0, 0)))
    with pytest.raises(Internal, match=r"SESSION.*EVENTUAL"):
        await ConsistencyLevels(weak, TABLE)(GetRows(NAME, ()), CONTEXT)
