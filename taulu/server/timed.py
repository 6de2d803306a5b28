"""How long a request took, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

from taulu.model.clock import Clock

OK = "OK"
CANCELLED = "CANCELLED"

Observe: TypeAlias = Callable[[str, str, float], None]
"""Told the method, the code and the seconds of a request that has ended."""


class Timed:
    """One request, from its arrival to its end, however that comes."""

    __slots__ = ("_began_s", "_clock", "_is_over", "_method", "_observe")

    def __init__(self, method: str, clock: Clock, observe: Observe) -> None:
        self._method = method
        self._clock = clock
        self._observe = observe
        self._is_over = False

    def __enter__(self) -> Self:
        self._began_s = self._clock.monotonic()
        return self

    def end(self, code: str) -> None:
        """Say what came of the request, before its caller hears of it."""
        self._is_over = True
        self._observe(self._method, code, self._clock.monotonic() - self._began_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        if not self._is_over:
            self.end(CANCELLED)


def unobserved(method: str, code: str, duration_s: float) -> None:
    """Forget a request."""
    del method, code, duration_s
