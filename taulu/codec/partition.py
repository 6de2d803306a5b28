"""Which log partition a key belongs to: the choice that Kafka's own clients make.

The murmur2 hash is that of `org.apache.kafka.common.utils.Utils`, so that records written to
a topic by Taulu and by any Kafka client with the default partitioner meet in one partition.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of `data`, as an unsigned number."""
    length = len(data)
    mixed = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little")
        word = (word * _M) & _MASK
        word ^= word >> 24
        word = (word * _M) & _MASK
        mixed = ((mixed * _M) & _MASK) ^ word
    if length > whole:
        mixed ^= int.from_bytes(data[whole:], "little")
        mixed = (mixed * _M) & _MASK
    mixed ^= mixed >> 13
    mixed = (mixed * _M) & _MASK
    return mixed ^ (mixed >> 15)


def log_partition(key: bytes, partition_count: int) -> int:
    """Return the partition, from 0, of a record whose encoded key is `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % partition_count
