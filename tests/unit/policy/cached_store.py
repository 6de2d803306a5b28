"""A cache in front of a store that tests hold up and let go; the clock is driven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from taulu.cache import CacheOptions, CacheRoom
from taulu.gateway.caches import make_caching, open_room
from taulu.model import (
    Absent,
    CachePolicy,
    Column,
    ColumnType,
    ConditionFailed,
    Consistency,
    Delete,
    Facts,
    Failed,
    GetRows,
    IdempotencyToken,
    Key,
    Kind,
    Level,
    Put,
    QueryRows,
    Row,
    RowPage,
    RowReads,
    Table,
    TypeName,
    Update,
    WriteResults,
    WriteRows,
    WriteUnit,
    Written,
)
from taulu.spi import Context, Environment
from taulu_memory import MemoryAdapter, MemorySharedCache
from tests.unit.policy.parts import DrivenClock

USERS = Table(
    "shop",
    "users",
    Kind.KV,
    (Column("id", ColumnType(TypeName.STRING)),),
    (),
    (Column("email", ColumnType(TypeName.STRING)), Column("name", ColumnType(TypeName.STRING))),
)
NEAR = CachePolicy(("near",), ttl_us=60_000_000, negative_ttl_us=10_000_000, jitter=0.0)
EVENTUAL, SESSION = Consistency(Level.EVENTUAL), Consistency(Level.SESSION)
KEY = Key(("ada",))
BEGAN_US = 1_000_000_000


@dataclass
class Store:
    """A store that answers when it is let: the next handler."""

    clock: DrivenClock
    rows: dict[Key, Row] = field(default_factory=dict)
    reads: list[Any] = field(default_factory=list)
    fails: Exception | None = None
    held: asyncio.Event | None = None
    """What reads wait for after they have seen their rows."""
    writes_held: asyncio.Event | None = None
    repeats: bool = False
    """Whether all writes that come had their effect before."""

    async def __call__(self, operation: Any, context: Context) -> Any:
        match operation:
            case GetRows(keys=keys, columns=columns):
                self.reads.append(operation)
                found = tuple(self._seen(key, columns) for key in keys)
                await self._wait(self.held)
                return RowReads(found, self._facts())
            case QueryRows(partition=partition):
                self.reads.append(operation)
                rows = tuple(row for key, row in self.rows.items() if key.partition == partition)
                await self._wait(self.held)
                return RowPage(rows, self._facts(), next_token="more")
            case WriteRows(units=units) if self.repeats:
                written = tuple(Written(self.clock.now_us()) for _ in units)
                return WriteResults(written, self._facts())
            case WriteRows(units=units):
                outcomes = tuple(self._apply(unit) for unit in units)
                await self._wait(self.writes_held)
                return WriteResults(outcomes, self._facts())
            case _:
                raise AssertionError(operation)

    def _seen(self, key: Key, columns: tuple[str, ...]) -> Row | Absent:
        row = self.rows.get(key)
        if row is None:
            return Absent()
        kept = {n: value for n, value in row.columns.items() if not columns or n in columns}
        return replace(row, columns=kept)

    async def _wait(self, event: asyncio.Event | None) -> None:
        if event is not None:
            await event.wait()
        if self.fails is not None:
            raise self.fails

    def _apply(self, unit: WriteUnit) -> Written | Failed:
        if unit.conditions:
            return Failed(ConditionFailed("no"))
        version = self.clock.now_us()
        for mutation in unit.mutations:
            match mutation:
                case Put(key=key, columns=columns):
                    self.rows[key] = Row(key, dict(columns), version)
                case Update(key=key, columns=columns):
                    before = self.rows[key].columns if key in self.rows else {}
                    self.rows[key] = Row(key, {**before, **columns}, version)
                case Delete(key=key):
                    self.rows.pop(key, None)
                case _:
                    raise AssertionError(mutation)
        return Written(version, is_first=True)

    def _facts(self) -> Facts:
        versions = [row.version for row in self.rows.values()]
        return Facts(Level.QUORUM, max(versions, default=0), self.clock.now_us())


@dataclass
class Subject:
    """A table with its cache."""

    clock: DrivenClock
    store: Store
    room: CacheRoom
    run: Callable[..., Awaitable[Any]]
    stats: Any

    def pass_s(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.clock.wall_us += int(seconds * 1e6)

    async def get(
        self, *keys: Key, consistency: Consistency = EVENTUAL, columns: tuple[str, ...] = ()
    ) -> RowReads:
        operation = GetRows(USERS.full_name, keys or (KEY,), columns, consistency)
        return await self.run(operation, Context(self.clock.seconds + 5))

    async def put(self, name: str, key: Key = KEY, **more: Any) -> WriteResults:
        return await self.write(Put(key, {"name": name}, **more))

    async def write(self, *mutations: Any, conditions: tuple[Any, ...] = ()) -> WriteResults:
        token = IdempotencyToken(0, f"nonce-{self.clock.seconds}")
        operation = WriteRows(USERS.full_name, (WriteUnit(mutations, token, conditions),))
        return await self.run(operation, Context(self.clock.seconds + 5))


@asynccontextmanager
async def cached(
    policy: CachePolicy = NEAR,
    table: Table = USERS,
    *,
    store: Store | None = None,
    shared: MemorySharedCache | None = None,
    clock: DrivenClock | None = None,
) -> AsyncGenerator[Subject]:
    clock = clock or DrivenClock(BEGAN_US, 1_000.0)
    store = store or Store(clock)
    environment = Environment(clock=clock, server_id=uuid4().hex)
    adapter = MemoryAdapter.create({}, environment)
    if shared is not None:
        # As if the store were on a network, where other gateways write to it too.
        adapter.is_host_bound = False  # type: ignore[misc]
        adapter.shared_cache = lambda: shared  # type: ignore[method-assign]
    options = CacheOptions(shared="there" if shared else "", beat_s=1_000.0)
    async with open_room(options, adapter if shared else None, environment, is_needed=True) as room:
        assert room is not None
        table = replace(table, cache=policy)
        caching = make_caching(table, policy, adapter, room, store).caching
        yield Subject(clock, store, room, caching, caching.cache.stats)


def name_of(got: RowReads, at: int = 0) -> object:
    row = got.outcomes[at]
    assert isinstance(row, Row), row
    return row.columns["name"]


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)
