"""Which levels a set-up may declare, from what may be lost in it and who may be deposed."""

from __future__ import annotations

from taulu.model import Kind, Level
from taulu.spi import Capabilities, Feature
from taulu_redis.settings import Durability, Mode, RedisSettings

FEATURES = frozenset(Feature) - {Feature.TRANSACTIONS}
"""All that a script in one hash slot can do; other partitions may lie in other slots."""

SURE_LEVELS = frozenset({Level.SESSION, Level.QUORUM, Level.LINEARIZABLE})


def can_confirm(settings: RedisSettings) -> bool:
    """Return whether it can be known that a server was primary when it answered.

    A standalone server is never deposed. Behind Sentinel or in a cluster, one that was deposed
    may not know it yet; it is found out by its replicas, which have left it.
    """
    return settings.mode is Mode.STANDALONE or settings.quorum_replicas is not None


def is_safe(settings: RedisSettings) -> bool:
    """Return whether an acknowledged write can be kept through crashes and failovers."""
    return (
        can_confirm(settings)
        and settings.durability is Durability.ALWAYS
        and not settings.allow_eviction
    )


def capabilities_for(settings: RedisSettings) -> Capabilities:
    """Return what tables can do on servers that are set up so."""
    reads, writes, features = {Level.EVENTUAL}, {Level.EVENTUAL}, FEATURES
    if can_confirm(settings):
        reads.add(Level.BOUNDED_STALENESS)
    if is_safe(settings):
        reads |= SURE_LEVELS
        writes |= {Level.QUORUM, Level.LINEARIZABLE}
    else:
        # The order is kept in the data, and is lost with it.
        features -= {Feature.WRITE_ORDER}
    return Capabilities(frozenset(Kind), features, frozenset(reads), frozenset(writes))
