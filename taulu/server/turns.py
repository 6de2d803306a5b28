"""Large replies are made a little at a time, so that they keep no other call waiting.

A row of 64 KiB may hold 60,000 values, and turning each into a message takes microseconds: what
one read returns within its limits can be a minute's work, on the loop that serves all callers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from taulu.model.clock import Clock

InT = TypeVar("InT")
OutT = TypeVar("OutT")

TURN_S_MAX = 0.005
"""After how long other calls get their turn; one item may take longer."""


async def in_turns(
    items: Iterable[InT], convert: Callable[[InT], OutT], clock: Clock
) -> list[OutT]:
    """Return what a conversion makes of each item, in order, letting other calls run between."""
    made: list[OutT] = []
    end = clock.monotonic() + TURN_S_MAX
    for item in items:
        made.append(convert(item))
        if clock.monotonic() >= end:
            await asyncio.sleep(0)
            end = clock.monotonic() + TURN_S_MAX
    return made
