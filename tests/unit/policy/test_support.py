from __future__ import annotations

from dataclasses import replace

import pytest

from taulu.model import GetCounters, InvalidArgument, Kind, Level, Page, ScanRows, Unsupported
from taulu.policy.support import Support
from taulu.spi import Capabilities, Feature
from tests.unit.policy.parts import CONTEXT, ORDERS, Recorder

LEVELS = frozenset({Level.QUORUM})
ALL = Capabilities(frozenset(Kind), frozenset(Feature), LEVELS, LEVELS)
SCAN = ScanRows("shop.orders", Page(1, 1))


async def test_what_was_declared_goes_on(recorder: Recorder):
    await Support(recorder, ORDERS, ALL)(SCAN, CONTEXT)
    assert recorder.seen == [SCAN]


async def test_what_was_not_declared_is_refused(recorder: Recorder):
    without = replace(ALL, features=ALL.features - {Feature.SCAN})
    with pytest.raises(Unsupported, match="scan"):
        await Support(recorder, ORDERS, without)(SCAN, CONTEXT)
    assert recorder.seen == []


async def test_another_kind_of_table_is_refused(recorder: Recorder):
    with pytest.raises(InvalidArgument, match="needs a counter table"):
        await Support(recorder, ORDERS, ALL)(GetCounters("shop.orders", ()), CONTEXT)
