"""Waiting for what comes by itself, on a machine however busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0
_REST_S = 0.05


def until(is_so: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up, "it did not come true"
        time.sleep(_REST_S)
