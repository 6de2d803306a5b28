"""What a gateway needs to know besides its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from taulu.cache import CacheOptions


@dataclass(frozen=True, slots=True)
class StorageTarget:
    """A named place for tables: an adapter and its options."""

    adapter: str
    options: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """What the settings say, as the gateway sees it."""

    storage: Mapping[str, StorageTarget]
    """Storage targets by the name that tables use."""
    calls_max: int = 512
    """How many calls one worker carries out at once."""
    start_wait_s: float = 20.0
    """How long a start waits for each backend and table that cannot be had yet, in seconds."""
    cache: CacheOptions = field(default_factory=CacheOptions)
    """How tables are cached that ask for it."""
