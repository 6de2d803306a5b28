"""The memory adapter: the reference model of every promise, and the oracle of the tests."""

from taulu_memory.adapter import MemoryAdapter
from taulu_memory.shared_cache import MemorySharedCache

__all__ = ["MemoryAdapter", "MemorySharedCache"]
