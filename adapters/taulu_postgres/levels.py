"""Reads at their levels: on the primary, on a standby, or on followers of CockroachDB.

A standby tells when the last transaction that it replayed was committed. All that was
acknowledged before is there, so that time is the reply's `as_of`; it is old on a primary
that is idle, and then a bounded read goes to the primary.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taulu.codec import timestamp_to_us
from taulu.model import Clock, Consistency, Facts, Level, Source, Table
from taulu_postgres._driver import Call, DriverError, SqlRow
from taulu_postgres.database import Database
from taulu_postgres.pool import Pool

_REPLAYED = Call("SELECT pg_last_xact_replay_timestamp()")
_WEAK = frozenset({Level.EVENTUAL, Level.BOUNDED_STALENESS})


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh a read was, and where it was made."""

    level: Level
    as_of_us: int
    source: Source = Source.PRIMARY

    def facts(self, version: int) -> Facts:
        """Return what a reply says, with the highest version that it holds."""
        return Facts(self.level, version, self.as_of_us, self.source)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a read asks for, the table's own level filled in."""

    level: Level
    staleness_us_max: int | None
    """None is any."""

    @classmethod
    def of(cls, consistency: Consistency, table: Table) -> Asked:
        """Return what a read of a table asks for."""
        level = consistency.level or table.read_level
        if level is Level.EVENTUAL:
            return cls(level, None)
        return cls(level, consistency.staleness_us_max or table.staleness_us_max or 0)


class Reads:
    """Reads of one target, each by the way that its level allows."""

    def __init__(self, database: Database, standbys: Sequence[Pool], clock: Clock) -> None:
        self._database = database
        self._standbys = itertools.cycle(standbys) if standbys else None
        self._clock = clock

    async def run(
        self, asked: Asked, call_of: Callable[[str], Call], deadline: float
    ) -> tuple[list[SqlRow], Freshness]:
        """Read.

        Args:
            asked: The level.
            call_of: Makes the statement, given the clause of `Dialect.stale_read`.
            deadline: When to give up.
        """
        if asked.level in _WEAK and self._standbys is not None:
            found = await self._on_standby(asked, call_of(""), deadline)
            if found is not None:
                return found
        dialect = self._database.dialect
        as_of = dialect.stale_read(asked.staleness_us_max) if asked.level in _WEAK else ""
        now_us = self._clock.now_us()
        (rows,) = await self._database.read([call_of(as_of)], deadline)
        if as_of:
            as_of_us = now_us - dialect.stale_read_lag_us
            return rows, Freshness(asked.level, as_of_us, Source.REPLICA)
        return rows, Freshness(Level.LINEARIZABLE, now_us)

    async def _on_standby(
        self, asked: Asked, call: Call, deadline: float
    ) -> tuple[list[SqlRow], Freshness] | None:
        """Read on the next standby; None when it cannot be had, or is too far behind."""
        assert self._standbys is not None  # noqa: S101 - the caller has looked
        pool = next(self._standbys)
        try:
            async with pool.connection(deadline) as connection:
                left_s = pool.left_s(deadline) / 2
                (((replayed,),), rows) = await connection.ask([_REPLAYED, call], left_s)
        except (DriverError, TimeoutError):
            return None
        if replayed is None:
            return None
        as_of_us = min(timestamp_to_us(replayed), self._clock.now_us())
        if asked.staleness_us_max is not None:
            oldest_us = self._clock.now_us() - asked.staleness_us_max
            if as_of_us < oldest_us:
                return None
        return rows, Freshness(asked.level, as_of_us, Source.REPLICA)
