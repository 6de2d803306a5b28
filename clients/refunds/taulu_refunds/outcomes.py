"""Reading the outcomes of batches: which failures stop the work and which are answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from taulu_client import errors

OutcomeT = TypeVar("OutcomeT")

RETRIABLE = (errors.ConflictError, errors.TransientError, errors.UncertainError)
"""Failures after which reading again, then deciding again, is right."""


def check_written(outcomes: Iterable[object]) -> None:
    """Raise the first failure of a batch that must succeed as a whole."""
    for outcome in outcomes:
        if isinstance(outcome, errors.TauluError):
            raise outcome


def succeeded(outcomes: Sequence[OutcomeT | errors.TauluError]) -> list[bool]:
    """Return for each item whether it took effect; raise what no retry can mend."""
    for outcome in outcomes:
        if isinstance(outcome, errors.TauluError) and not isinstance(outcome, RETRIABLE):
            raise outcome
    return [not isinstance(outcome, errors.TauluError) for outcome in outcomes]
