"""What a reader wants of a cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from taulu.cache.near import Place
from taulu.model.operation import QueryRows
from taulu.model.row import Key

What: TypeAlias = Key | QueryRows
"""What the store is asked for one entry: a row, or a first page."""


@dataclass(frozen=True, slots=True)
class Want:
    """One entry, and what the store is asked for it."""

    place: Place
    variant: bytes
    what: What
