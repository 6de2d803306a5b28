"""Asking again, as a client does, while a server says that it is not ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from taulu.model import Unavailable

ResultT = TypeVar("ResultT")

PATIENCE_S = 60.0
_REST_S = 0.2


async def patiently(act: Callable[[], Awaitable[ResultT]], seconds: float = PATIENCE_S) -> ResultT:
    """Do something again until it is not refused as `Unavailable`, and return its result."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return await act()
        except Unavailable:
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(_REST_S)
