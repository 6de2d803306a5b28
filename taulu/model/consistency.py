"""How fresh a read is, how safe a write is, and what a reply says of both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Level(IntEnum):
    """Consistency levels, from weakest to strongest; a higher one keeps every lower promise."""

    EVENTUAL = 1
    BOUNDED_STALENESS = 2
    SESSION = 3
    QUORUM = 4
    LINEARIZABLE = 5


class Source(Enum):
    """Where a reply's data came from."""

    NEAR_CACHE = "near_cache"
    SHARED_CACHE = "shared_cache"
    REPLICA = "replica"
    PRIMARY = "primary"
    CLIENT_CACHE = "client_cache"


@dataclass(frozen=True, slots=True)
class Consistency:
    """What a read asks for."""

    level: Level | None = None
    """None asks for the table's own level; the pipeline fills it in before the adapter."""
    staleness_us_max: int | None = None
    """For BOUNDED_STALENESS: the oldest acceptable read, in microseconds."""
    session_version: int = 0
    """For SESSION: the highest version that the client has written or seen."""
    session_us: int = 0
    """For SESSION: the time from which on every read shows what the client has written or seen,
    in microseconds since 1970; 0 when only the version is known."""


TABLE_LEVEL = Consistency()
"""Asks for whatever the table declares."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reply delivered, as distinct from what was asked."""

    level: Level
    """The level achieved: never weaker than the one asked."""
    version: int
    """The highest version that the call wrote or saw; 0 when it saw none."""
    as_of_us: int
    """When the store read began, in microseconds since 1970."""
    source: Source = Source.PRIMARY
    session_us: int = 0
    """The time from which on every read shows what this call wrote or saw; 0 when the table is
    not cached, so that the version alone tells."""
    is_stale: bool = False
    """Whether an old copy was served because the store could not be read."""
