"""What a table's cache did, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CacheStats:
    """Counts since the worker began."""

    near_hits: int = 0
    """Entries served from the near cache."""
    shared_hits: int = 0
    """Entries that the shared tier had, fresh enough."""
    joins: int = 0
    """Readers who waited for a load that another had begun."""
    loads: int = 0
    """Entries read from the store."""
    refreshes: int = 0
    """Loads of entries that were still good, ahead of time."""
    passes: int = 0
    """Entries that no cache may serve: by level, by columns or by query."""
    negatives: int = 0
    """Hits of the near cache on what is absent."""
    stale: int = 0
    """Entries served though the store could not be read, where the table allows it."""
    fenced: int = 0
    """Loads that a write overtook, so that they filled nothing."""
    drops: int = 0
    """Places dropped for writes through this worker."""
    tier_errors: int = 0
    """Calls of the shared tier that failed."""
    checked: int = 0
    """Entries that `verify-cache` has compared with the store."""
    beyond: int = 0
    """Entries that `verify-cache` found staler than the table's bound."""
    staleness_us_max: int = 0
    """The most by which a compared entry lagged behind the store."""
