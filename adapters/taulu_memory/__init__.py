"""The memory adapter: the reference model of every promise, and the oracle of the tests."""

from taulu_memory.adapter import MemoryAdapter

__all__ = ["MemoryAdapter"]
