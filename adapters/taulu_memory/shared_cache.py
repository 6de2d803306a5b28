"""Both halves of a shared cache in one process."""

from __future__ import annotations

from taulu.model import Clock
from taulu.spi import SharedCache
from taulu_memory.carrier import MemoryCarrier
from taulu_memory.shared_tier import MemoryTier


class MemorySharedCache(SharedCache):
    """A shared cache for as many gateways of one process as it is handed to.

    It can be hurt: `tier.is_up`, `tier.forget`, `carrier.is_up`, `carrier.cut`.
    """

    tier: MemoryTier
    carrier: MemoryCarrier

    def __init__(self, clock: Clock) -> None:
        super().__init__(MemoryTier(clock), MemoryCarrier())
