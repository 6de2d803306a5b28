"""One gateway of a simulation: the real pipelines over a model store and a simulated network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from taulu.cache import CacheOptions, CacheRoom
from taulu.gateway.assembly import Pipeline, Shared, assemble
from taulu.gateway.caches import open_room
from taulu.model import Table, Unavailable
from taulu.policy.admission import Gate
from taulu.spi import Adapter, Context, Environment
from taulu.spi.shared_cache import SharedCache
from tests.cache.sim_network import Network, NetworkView
from tests.cache.sim_store import ModelAdapter, ModelStore
from tests.cache.sim_time import SimClock

ResultT = TypeVar("ResultT")
OPEN_AGAIN_S = 0.3
CALLS_MAX = 100_000


@dataclass(slots=True)
class SimGateway:
    """A gateway that can be started, stopped, killed and started again under its name."""

    name: str
    clock: SimClock
    store: ModelStore
    network: Network | None
    tables: Sequence[Table]
    options: CacheOptions
    choose: random.Random
    room: CacheRoom | None = None
    lives: int = 0
    """How often it was started."""
    _pipelines: dict[str, Pipeline] = field(default_factory=dict[str, Pipeline])
    _view: NetworkView | None = None
    _life: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _calls: list[asyncio.Task[object]] = field(default_factory=list["asyncio.Task[object]"])
    """In the order of their begin, so that a seed cuts them off in one order."""

    async def start(self) -> None:
        """Start it; it serves from when it has joined the others."""
        self._stop.clear()
        self._ready.clear()
        self._life = asyncio.get_running_loop().create_task(self._live())
        await self._ready.wait()

    async def stop(self) -> None:
        """End it in order: it serves no more, finishes its calls, and takes leave."""
        calls = list(self._calls)
        self._pipelines.clear()
        if calls:
            await asyncio.wait(calls)
        await self._end()

    async def kill(self) -> None:
        """End it at once; its calls are cut off, and nobody is told."""
        self._pipelines.clear()
        if self._view is not None:
            self._view.is_dead = True
        if self.network is not None:
            self.network.break_ways([self.name + "-0"])
        for call in list(self._calls):
            call.cancel()
        await self._end()

    @property
    def is_up(self) -> bool:
        """Whether it takes calls."""
        return bool(self._pipelines)

    @property
    def pipelines(self) -> dict[str, Pipeline]:
        """The pipelines of its tables; none while it is down."""
        return self._pipelines

    async def call(self, operation: object, patience_s: float) -> object:
        """Carry out a call as a client sees it."""
        pipeline = self._pipelines.get(cast(Table, operation).table)  # type: ignore[attr-defined]
        if pipeline is None:
            raise Unavailable("this gateway is not up")
        context = Context(self.clock.monotonic() + patience_s)
        work = cast("Coroutine[None, None, object]", pipeline.handler(operation, context))  # type: ignore[arg-type]
        call = asyncio.get_running_loop().create_task(work)
        self._calls.append(call)
        call.add_done_callback(self._calls.remove)
        await asyncio.wait([call])
        if call.cancelled():
            raise Unavailable("the connection to the gateway broke")
        return call.result()

    async def _end(self) -> None:
        self._stop.set()
        if self._life is not None:
            await self._life

    async def _live(self) -> None:
        while not self._stop.is_set():
            try:
                await self._live_once()
            except Unavailable:
                await asyncio.sleep(OPEN_AGAIN_S)

    async def _live_once(self) -> None:
        environment = Environment(clock=self.clock, server_id=self.name)
        shared = None
        if self.network is not None:
            self._view = self.network.view(self.name + "-0")
            shared = cast(Adapter, _SharedAdapter(self._view.shared_cache))
        async with open_room(self.options, shared, environment, is_needed=True) as room:
            self.room = room
            self.lives += 1
            adapter = ModelAdapter(self.store, self.clock)
            gate = Shared(self.clock, Gate(CALLS_MAX), int(3600e6), room)
            pipelines: dict[str, Pipeline] = {}
            for table in self.tables:
                await adapter.prepare(table)
                made = pipelines[table.full_name] = assemble(table, adapter, gate)
                if made.cached is not None:
                    made.cached.caching.cache.choose = random.Random(self.choose.random())
                    made.cached.caching.cache.loads.choose = random.Random(self.choose.random())
            self._pipelines = pipelines
            self._ready.set()
            await self._stop.wait()


@dataclass(slots=True)
class _SharedAdapter:
    """Stands where an adapter stands that can be a shared cache."""

    made: SharedCache
    name: str = "simulated"

    def shared_cache(self) -> SharedCache:
        """See `Adapter.shared_cache`."""
        return self.made
