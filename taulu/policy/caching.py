"""Answers from a cache what the asked level allows; every write takes the copies away first.

It stands between the levels and the adapter: what it loads it reads at QUORUM, so that an entry
shows every write that was acknowledged before its read began. See docs/adr/0046.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from taulu.cache import TableCache, Want, What
from taulu.cache.demand import CACHED_LEVELS, has_columns
from taulu.cache.entry import Cached
from taulu.cache.near import Place
from taulu.cache.news import News
from taulu.cache.table_cache import Served
from taulu.codec import KeyCodec
from taulu.model.clock import Clock
from taulu.model.consistency import Consistency, Facts, Level, Source
from taulu.model.errors import CallerError, ConflictError, Internal, TauluError, Unsupported
from taulu.model.operation import GetRows, Operation, QueryRows, ScanRows, WriteRows, WriteUnit
from taulu.model.result import Absent, Failed, RowOutcome, RowPage, RowReads, WriteResults
from taulu.model.row import Key, Partition, Row
from taulu.model.table import CachePolicy, Table
from taulu.model.value import Value
from taulu.policy.write_through import Ticket, WriteThrough
from taulu.spi.context import Context, Handler
from taulu.spi.requirements import partitions_of

ResultT = TypeVar("ResultT")

_SOURCES = (Source.NEAR_CACHE, Source.SHARED_CACHE, Source.REPLICA, Source.PRIMARY)


@dataclass(frozen=True, slots=True)
class StoreReader:
    """Reads entries from the store, at QUORUM."""

    next: Handler
    table: Table
    policy: CachePolicy
    clock: Clock
    timeout_s: float

    async def __call__(self, wants: Sequence[What]) -> Sequence[Cached | TauluError]:
        """Read rows, or pages, with one call of the store where they are rows."""
        keys = tuple(want for want in wants if isinstance(want, Key))
        context = Context(self.clock.monotonic() + self.timeout_s, caller="cache")
        if not keys:
            return [await self._page(want, context) for want in wants if not isinstance(want, Key)]
        quorum = Consistency(Level.QUORUM)
        operation = GetRows(self.table.full_name, keys, self.policy.columns, quorum)
        outcomes = (await self.next(operation, context)).outcomes
        return [got.error if isinstance(got, Failed) else got for got in outcomes]

    async def _page(self, query: QueryRows, context: Context) -> RowPage:
        return await self.next(replace(query, consistency=Consistency(Level.QUORUM)), context)


@dataclass(frozen=True, slots=True)
class Caching:
    """Serves a table from its cache, within the contract."""

    next: Handler
    table: Table
    policy: CachePolicy
    cache: TableCache
    news: News
    keys: KeyCodec
    through: WriteThrough | None
    """Fills the near cache with what is written whole; None when the table does not ask for it."""

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Answer from the cache, or run the next handler."""
        return cast(ResultT, await self._answer(operation, context))

    async def _answer(self, operation: Operation[object], context: Context) -> object:
        match operation:
            case GetRows() if self._is_cached(operation):
                return await self._get(operation)
            case QueryRows() if self._is_cached(operation):
                return await self._query(operation)
            case WriteRows():
                return await self._write(operation, context)
            case GetRows() | QueryRows() | ScanRows():
                return await self._pass(operation, context)
            case _:
                return await self.next(operation, context)

    def _is_cached(self, operation: GetRows | QueryRows) -> bool:
        if operation.consistency.level not in CACHED_LEVELS:
            return False
        if not has_columns(self.policy.columns, operation.columns):
            return False
        if isinstance(operation, QueryRows):
            return self.policy.has_queries and not operation.page.token
        return True

    async def _get(self, operation: GetRows) -> RowReads:
        wants = [
            Want(self._place(key.partition), self.keys.clustering(key.clustering), key)
            for key in operation.keys
        ]
        served = await self.cache.read(wants, operation.consistency)
        outcomes = tuple(_row_outcome(got, operation.columns) for got in served)
        return RowReads(outcomes, self._facts(served, operation.consistency))

    async def _query(self, operation: QueryRows) -> RowPage:
        query = replace(operation, consistency=Consistency())
        # Its columns too, for the page's token goes on with these alone.
        asked = (query.range, query.reverse, query.page, query.columns)
        variant = b"?" + repr(asked).encode()
        want = Want(self._place(operation.partition), variant, query)
        (got,) = await self.cache.read([want], operation.consistency)
        if isinstance(got.value, TauluError):
            raise got.value
        if not isinstance(got.value, RowPage):
            raise Internal(f"the cache of {self.table.full_name} holds a row where a page belongs")
        return replace(got.value, facts=self._facts([got], operation.consistency))

    async def _pass(
        self, operation: GetRows | QueryRows | ScanRows, context: Context
    ) -> RowReads | RowPage:
        result = await self.next(cast("Operation[RowReads | RowPage]", operation), context)
        self.cache.stats.passes += 1
        facts = result.facts
        seen_us = self.cache.session_us(facts.version, self.cache.loads.room.clock.now_us())
        return replace(result, facts=replace(facts, session_us=seen_us))

    async def _write(self, operation: WriteRows, context: Context) -> WriteResults:
        if operation.level is not None and operation.level < Level.QUORUM:
            raise Unsupported(
                f"{self.table.full_name} is cached, so it is not written at "
                f"{operation.level.name}, which a cache might not see; write at QUORUM, or ask "
                "for no level",
                details={"table": self.table.full_name, "level": operation.level.name},
            )
        self.news.check()
        ticket = None if self.through is None else self.through.begin(operation.units)
        try:
            result = await self.next(operation, context)
        except BaseException:
            # Its fate may be unknown: what may have been written is as good as written.
            await self._settle(operation.units, ticket, None)
            raise
        await self._settle(operation.units, ticket, result)
        seen = replace(result.facts, session_us=self.cache.loads.room.clock.now_us())
        return WriteResults(result.outcomes, seen)

    async def _settle(
        self, units: Sequence[WriteUnit], ticket: Ticket | None, result: WriteResults | None
    ) -> None:
        places = self._written(units, result)
        if places:
            await self.cache.loads.room.finish(self._tell(places, ticket, result))
        elif ticket is not None:
            ticket.cancel()

    async def _tell(
        self, places: Sequence[Place], ticket: Ticket | None, result: WriteResults | None
    ) -> None:
        await self.news.drop_shared(places)
        rows = [] if ticket is None else ticket.end(result)
        self.cache.stats.drops += len(places)
        self.cache.loads.room.drop(places)
        for place, variant, entry in rows:
            self.cache.loads.room.near.put(place, variant, entry)
        await self.news.tell(places)

    def _written(self, units: Sequence[WriteUnit], result: WriteResults | None) -> list[Place]:
        """Return the places that were, or may have been, written."""
        outcomes: Iterable[object] = [None] * len(units) if result is None else result.outcomes
        found: dict[Place, None] = {}
        for unit, outcome in zip(units, outcomes, strict=True):
            if isinstance(outcome, Failed) and isinstance(
                outcome.error, CallerError | ConflictError
            ):
                continue
            for partition in partitions_of(unit):
                found[self._place(partition)] = None
        return list(found)

    def _place(self, partition: Partition) -> Place:
        return Place(self.table.full_name, self.keys.partition(partition))

    def _facts(self, served: Sequence[Served], consistency: Consistency) -> Facts:
        """Return what the weakest of the items was given."""
        if len(served) == 1 and (one := served[0]).entry is not None:
            # The usual case, which the general one would make half of what a hit costs here.
            return Facts(
                Level.QUORUM if one.is_read_now else consistency.level or Level.EVENTUAL,
                one.entry.version,
                one.entry.as_of_us,
                one.source,
                self.cache.session_us(one.entry.version, one.entry.landed_us),
                one.is_stale,
            )
        entries = [got.entry for got in served if got.entry is not None]
        now_us = self.cache.loads.room.clock.now_us()
        source = min((got.source for got in served), key=_SOURCES.index, default=Source.PRIMARY)
        level = consistency.level or Level.EVENTUAL
        return Facts(
            level=Level.QUORUM if all(got.is_read_now for got in served) else level,
            version=max((entry.version for entry in entries), default=0),
            as_of_us=min((entry.as_of_us for entry in entries), default=now_us),
            source=source,
            session_us=max(
                (self.cache.session_us(entry.version, entry.landed_us) for entry in entries),
                default=0,
            ),
            is_stale=any(got.is_stale for got in served),
        )


def _row_outcome(got: Served, columns: tuple[str, ...]) -> RowOutcome:
    match got.value:
        case TauluError() as error:
            return Failed(error)
        case Row() as row:
            return _projected(row, columns)
        case _:
            return Absent()


def _projected(row: Row, columns: tuple[str, ...]) -> Row:
    if not columns:
        return row
    kept: Mapping[str, Value] = {n: row.columns[n] for n in columns if n in row.columns}
    return replace(row, columns=kept)
