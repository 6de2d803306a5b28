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

    __slots__ = ("_began_s", "_clock", "_method", "_observe", "code")

    def __init__(self, method: str, clock: Clock, observe: Observe) -> None:
        self._method = method
        self._clock = clock
        self._observe = observe
        self.code = CANCELLED
        """What came of it: nothing said so means that it was cut off."""

    def __enter__(self) -> Self:
        self._began_s = self._clock.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self._observe(self._method, self.code, self._clock.monotonic() - self._began_s)


def unobserved(method: str, code: str, duration_s: float) -> None:
    """Forget a request."""
    del method, code, duration_s
