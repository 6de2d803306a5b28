"""What the tests of the client's cache share: a table as the gateway describes it, replies, and
a gateway of the mind that sends what news it is told to, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from taulu.model import Absent, Facts, Key, Level, Row, Source, TauluError, UnknownTable
from taulu.v1 import cache_pb2, catalog_pb2, consistency_pb2, data_pb2
from taulu.wire.values import duration_message, row_message
from taulu_client import CacheInfo, ColumnInfo, TableInfo
from taulu_client.row_fetch import Fetched

USERS = "demo.users"
BOUND_S = 5.0
TTL_S = 60.0
NEGATIVE_S = 20.0
POLICY = CacheInfo(
    ("near",),
    timedelta(seconds=TTL_S),
    timedelta(seconds=NEGATIVE_S),
    timedelta(seconds=BOUND_S),
    clock_skew=timedelta(seconds=0.5),
)
INFO = TableInfo(
    USERS,
    "kv",
    (ColumnInfo("id", "string", "partition"), ColumnInfo("name", "string", "data")),
    "embedded",
    ("write_order",),
    Level.EVENTUAL,
    Level.QUORUM,
    None,
    {},
    0,
    cache=POLICY,
)
ADA = Key(("ada",))


def row(version: int = 100, name: str = "Ada", **more: Any) -> Row:
    return Row(ADA, {"name": name}, version, **more)


def fetched(
    outcome: Row | Absent,
    *,
    sent_s: float,
    age_s: float = 0.0,
    as_of_us: int = 1_000_000_000,
    worker: int = 0,
    source: Source = Source.PRIMARY,
    level: Level = Level.QUORUM,
    is_stale: bool = False,
) -> Fetched:
    """What a call brought; the gateway's clock is nobody's."""
    version = outcome.version if isinstance(outcome, Row) else 0
    reply = consistency_pb2.ReplyFacts(
        age=duration_message(int(age_s * 1e6)), as_of_us=as_of_us, worker=worker
    )
    message = data_pb2.RowOutcome()
    if isinstance(outcome, Row):
        message.found.CopyFrom(row_message(outcome))
    facts = Facts(level, version, 0, source, is_stale=is_stale)
    return Fetched(outcome, facts, reply, message, sent_s)


@dataclass
class ScriptedNews:
    """Stands for the calls of a client: it describes tables, and streams what it is given."""

    infos: dict[str, catalog_pb2.Table] = field(default_factory=dict)
    streams: list[asyncio.Queue[Any]] = field(default_factory=list)
    watched: list[list[str]] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, method: Any, request: Any, timeout_s: float) -> Any:
        if request.table not in self.infos:
            raise UnknownTable(f"no table is called {request.table}")
        return catalog_pb2.GetTableResponse(table=self.infos[request.table])

    async def stream(self, method: Any, request: Any, timeout_s: Any) -> AsyncGenerator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.streams.append(queue)
        self.watched.append(list(request.tables))
        self.opened.set()
        while True:
            item = await queue.get()
            if item is None:
                return
            if isinstance(item, TauluError):
                raise item
            yield item

    async def next_stream(self) -> asyncio.Queue[Any]:
        """Return the next stream that is opened, or the one that was since the last call."""
        async with asyncio.timeout(30):
            await self.opened.wait()
        self.opened.clear()
        return self.streams[-1]


def described(table: str = USERS, *, is_cached: bool = True) -> catalog_pb2.Table:
    columns = [
        catalog_pb2.Column(name="id", type="string", role=catalog_pb2.COLUMN_ROLE_PARTITION_KEY)
    ]
    message = catalog_pb2.Table(
        name=table,
        kind=catalog_pb2.TABLE_KIND_KV,
        columns=columns,
        read_consistency=1,
        write_consistency=4,
    )
    if is_cached:
        message.cache.ttl.CopyFrom(duration_message(60_000_000))
    return message


def news(
    sent_us: int,
    *,
    since_us: int = 0,
    until_us: int | None = None,
    places: tuple[bytes, ...] = (),
    missed: bool = False,
    vouched: bool = True,
    run: int = 7,
    table: str = USERS,
) -> cache_pb2.WatchResponse:
    return cache_pb2.WatchResponse(
        worker=cache_pb2.Worker(run=run),
        sent_us=sent_us,
        invalidations=[cache_pb2.Invalidation(table=table, places=places)] if places else [],
        missed=missed,
        vouchings=[
            cache_pb2.Vouching(
                table=table,
                vouched=vouched,
                since_us=since_us,
                until_us=sent_us if until_us is None else until_us,
            )
        ],
    )


def without_cache(info: TableInfo = INFO) -> TableInfo:
    return replace(info, cache=None)
