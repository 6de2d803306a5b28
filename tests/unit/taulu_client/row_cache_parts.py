"""A client's cache whose clock, news and loads are driven by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from taulu.cache.demand import NO_TRUST, Trust
from taulu.model import Consistency, Failed, Key, Level, Source, TauluError
from taulu_client.cache_plan import CachePlan
from taulu_client.row_cache import Got, RowCache, Want
from tests.unit.policy.parts import DrivenClock
from tests.unit.taulu_client.cache_parts import ADA, INFO, fetched, row

EVENTUAL = Consistency(Level.EVENTUAL)
PLACE = CachePlan(INFO).place(("ada",))
WATCHED = 7
"""The run of the worker whose news are heard."""


@dataclass
class DrivenFeed:
    """Stands for the stream: what it vouches for is set by the test."""

    number: int = 0
    worker: int = 0
    vouched: Trust = NO_TRUST

    def trust(self, table: str, number: int) -> Trust:
        return self.vouched if number and number == self.number else NO_TRUST

    def hear(self, since_s: float, until_s: float) -> None:
        self.number, self.worker = self.number + 1, WATCHED
        self.vouched = Trust(since_s, until_s)


@dataclass
class Subject:
    clock: DrivenClock = field(default_factory=lambda: DrivenClock(5_000_000, 1_000.0))
    feed: DrivenFeed = field(default_factory=DrivenFeed)
    answers: Callable[[], Any] = row
    reply: dict[str, Any] = field(default_factory=dict)
    held: asyncio.Event | None = None
    calls: list[Sequence[Key]] = field(default_factory=list)
    cache: RowCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = RowCache(CachePlan(INFO), self.feed, clock=self.clock)  # type: ignore[arg-type]

    async def load(self, keys: Sequence[Key]) -> Sequence[Any]:
        self.calls.append(keys)
        sent_s, outcome = self.clock.seconds, self.answers()
        if self.held is not None:
            await self.held.wait()
        if isinstance(outcome, TauluError):
            return [Failed(outcome)] * len(keys)
        return [fetched(outcome, sent_s=sent_s, **self.reply) for _ in keys]

    async def read(self, wanted: Consistency = EVENTUAL) -> Any:
        assert PLACE is not None
        (got,) = await self.cache.read([Want(PLACE, ADA)], wanted, self.load)
        return got

    async def source(self, wanted: Consistency = EVENTUAL) -> Source:
        got = await self.read(wanted)
        assert isinstance(got, Got), got
        return got.facts.source

    def vouch(self) -> None:
        """Let all news have come until now."""
        self.feed.vouched = replace(self.feed.vouched, until_s=self.clock.seconds)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
