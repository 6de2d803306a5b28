"""Taking wrong items out of a batch, and putting their failures back in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from taulu.model.errors import TauluError
from taulu.model.result import Failed

InT = TypeVar("InT")
OutT = TypeVar("OutT")


def sift(
    items: Iterable[InT], step: Callable[[InT], OutT]
) -> tuple[tuple[OutT, ...], dict[int, Failed]]:
    """Return what the step made of the good items, and the failures of the others by place."""
    good: list[OutT] = []
    failed: dict[int, Failed] = {}
    for place, item in enumerate(items):
        try:
            good.append(step(item))
        except TauluError as error:
            failed[place] = Failed(error)
    return tuple(good), failed


def merge(outcomes: Sequence[OutT], failed: dict[int, Failed]) -> tuple[OutT | Failed, ...]:
    """Put failures back in their places between the outcomes of the others."""
    if not failed:
        return tuple(outcomes)
    rest = iter(outcomes)
    total = len(outcomes) + len(failed)
    return tuple(failed[place] if place in failed else next(rest) for place in range(total))
