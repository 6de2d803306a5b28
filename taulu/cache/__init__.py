"""Copies of what the store holds, and the rules by which they may be served.

The contract is docs/adr/0046-the-caching-contract.md. `TableCache` reads through the tiers,
`CacheRoom` is what the tables of one worker share, and `Channel` carries the news of writes.
"""

from taulu.cache.channel import Channel
from taulu.cache.entry import Entry
from taulu.cache.local_carrier import LocalCarrier
from taulu.cache.options import CacheOptions
from taulu.cache.room import CacheRoom
from taulu.cache.table_cache import TableCache
from taulu.cache.want import Want, What

__all__ = [
    "CacheOptions",
    "CacheRoom",
    "Channel",
    "Entry",
    "LocalCarrier",
    "TableCache",
    "Want",
    "What",
]
