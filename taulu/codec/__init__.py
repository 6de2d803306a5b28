"""Keys and rows as bytes, for stores and caches that keep bytes."""

from taulu.codec.keys import KeyCodec, prefix_end, timestamp_from_us, timestamp_to_us
from taulu.codec.partition import log_partition
from taulu.codec.rows import RowCodec

__all__ = [
    "KeyCodec",
    "RowCodec",
    "log_partition",
    "prefix_end",
    "timestamp_from_us",
    "timestamp_to_us",
]
