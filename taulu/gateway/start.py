"""Waiting, at a start, for what may come: backends are often started together with a gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from taulu.model.clock import Clock
from taulu.model.errors import TransientError

_log = logging.getLogger(__name__)

_REST_S = 0.5


async def until_there(
    what: str, act: Callable[[], Awaitable[None]], wait_s: float, clock: Clock
) -> None:
    """Do what a start needs; again for a while, as long as it fails for trouble that may pass.

    Args:
        what: What is waited for, as the log names it.
        act: May be called again after it raised a `TransientError`.
        wait_s: For how long from the first failure on, in seconds.
        clock: Measures that.

    Raises:
        TransientError: The trouble did not pass in time.
        TauluError: Whatever no waiting mends, at once.
    """
    give_up: float | None = None
    told = ""
    while True:
        try:
            return await act()
        except TransientError as error:
            now = clock.monotonic()
            give_up = now + wait_s if give_up is None else give_up
            if now >= give_up:
                raise
            if error.message != told:
                told = error.message
                _log.warning("waiting up to %.0f s for %s: %s", give_up - now, what, told)
        await asyncio.sleep(_REST_S)
