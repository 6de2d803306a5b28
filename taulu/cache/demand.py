"""Freshness is one comparison: what a level asks of an entry.

Every level is a lower bound of the time at which the entry's read of the store began. SESSION
may be met by the version of a row instead, where the store orders the writes of each row; not by
that of a page, for a version says nothing of other rows. A higher level keeps the promise of
every lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from taulu.cache.entry import Entry
from taulu.model.clock import Clock
from taulu.model.consistency import Consistency, Level

CACHED_LEVELS = frozenset({Level.EVENTUAL, Level.BOUNDED_STALENESS, Level.SESSION})
"""The levels that a cache may answer; the others pass it by."""


def has_columns(cached: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether entries of these columns hold what a read asks for; none named means all."""
    return not cached or (bool(asked) and set(asked) <= set(cached))


@dataclass(frozen=True, slots=True)
class Demand:
    """How fresh an entry must be for one read."""

    began_s_min: float
    """The earliest begin of the store's read, on the monotonic clock."""
    session_us: int = 0
    """The begin, on the wall clock, from which on every entry shows what the session saw."""
    session_version: int = 0
    """The version from which on every entry does; 0 when versions prove nothing."""

    def met_by(self, entry: Entry, now_s: float, now_us: int) -> bool:
        """Whether the entry may be served."""
        return (
            entry.began_s >= self.began_s_min
            and now_s < entry.keep_until_s
            and (entry.as_of_us >= self.session_us or 0 < self.session_version <= entry.version)
            and not entry.is_over(now_us)
        )


@dataclass(frozen=True, slots=True)
class Trust:
    """What the news of writes say of entries, on the monotonic clock.

    Entries that began at or after `since_s` show every write that was acknowledged before
    `until_s`, or are gone.
    """

    since_s: float = float("inf")
    until_s: float = float("-inf")


NO_TRUST = Trust()


def demand_of(
    consistency: Consistency,
    staleness_us: int,
    trust: Trust,
    clock: Clock,
    skew_s: float,
    *,
    by_version: bool = True,
) -> Demand:
    """Return what a level asks.

    Args:
        consistency: The level, one of `CACHED_LEVELS`, with its bound or session.
        staleness_us: The table's bound: how long after its acknowledgement a write may stay
            unseen by any reader.
        trust: What the channel vouches for.
        clock: Tells the time.
        skew_s: How far the clocks of two gateways may lie apart.
        by_version: Whether an entry of a session's version shows all that the session saw of it.
    """
    now_s = clock.monotonic()
    bound_s = now_s - staleness_us / 1e6
    # All news up to `until_s` have come: what they left in the cache is as good as read then.
    began_s_min = min(bound_s, trust.since_s) if trust.until_s >= bound_s else bound_s
    demand = Demand(began_s_min)
    match consistency.level:
        case Level.BOUNDED_STALENESS:
            asked_us = consistency.staleness_us_max or 0
            return replace(demand, began_s_min=max(began_s_min, now_s - asked_us / 1e6))
        case Level.SESSION if consistency.session_version:
            # A token without a time was given by a table that is not cached.
            seen_us = consistency.session_us or consistency.session_version
            return replace(
                demand,
                session_us=seen_us + int(skew_s * 1e6),
                session_version=consistency.session_version if by_version else 0,
            )
        case _:
            return demand
