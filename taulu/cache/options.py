"""What the settings say of caching, as the rooms below them see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """How much a worker may cache, and whom it tells of writes. Times are in seconds."""

    near_bytes: int = 64 * 1024 * 1024
    """Bytes of the near cache of one worker, over all tables."""
    shared: str = ""
    """The storage target that holds the shared tier and carries the news; empty for none."""
    loads_max: int = 64
    """How many reads of stores on behalf of caches one worker has under way."""
    load_timeout_s: float = 5.0
    """How long one such read may take."""
    lease_s: float = 3.0
    """How long a gateway may be the only one that loads an entry."""
    clock_skew_s: float = 0.5
    """How far the clocks of two gateways may lie apart."""
    beat_s: float = 0.25
    """How often a worker tells the others that it is there."""
    forget_s: float = 600.0
    """How long a silent gateway is remembered; cut off for half of this, it refuses writes."""
