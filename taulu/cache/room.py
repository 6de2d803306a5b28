"""What the caches of one worker share: memory, loads, channels, and the tasks that serve them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

from taulu.cache.channel import Channel
from taulu.cache.demand import Trust
from taulu.cache.flights import Flights
from taulu.cache.near import NearCache, Place
from taulu.cache.options import CacheOptions
from taulu.cache.shared import Breaker
from taulu.cache.tally import Tally
from taulu.cache.watchers import Watchers
from taulu.model.clock import Clock
from taulu.spi.shared_cache import SharedCache

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CacheRoom:
    """One for all tables of a worker."""

    options: CacheOptions
    clock: Clock
    tasks: asyncio.TaskGroup
    near: NearCache
    gate: asyncio.Semaphore
    breaker: Breaker
    opened_s: float
    """When it was opened, on the monotonic clock; later, when something was left in the shared
    tier that should have been dropped, and there is no channel to say so."""
    server_id: str = ""
    """Of which server this worker is one; its own stores have names of their own by it."""
    shared: SharedCache | None = None
    local_channel: Channel | None = None
    """To the other workers of this server; None when there are none."""
    shared_channel: Channel | None = None
    """To all gateways that use the same shared cache; None when there is none."""
    flights: Flights = field(default_factory=Flights)
    tally: Tally = field(default_factory=Tally)
    watchers: Watchers = field(default_factory=Watchers)
    _running: dict[asyncio.Task[None], None] = field(
        default_factory=dict["asyncio.Task[None]", None]
    )
    """In the order of their begin: they are cancelled in one order, and a simulation repeats."""

    @classmethod
    def create(
        cls, options: CacheOptions, clock: Clock, tasks: asyncio.TaskGroup, server_id: str = ""
    ) -> CacheRoom:
        """Return a room without channels and shared tier; they are set before it is used."""
        return cls(
            options,
            clock,
            tasks,
            NearCache(options.near_bytes),
            asyncio.Semaphore(options.loads_max),
            Breaker(clock),
            clock.monotonic(),
            server_id,
        )

    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let something go on beside the call that began it, until the room is closed."""
        task = self.tasks.create_task(_guarded(work))
        self._running[task] = None
        task.add_done_callback(self._running.pop)
        # A task that is cancelled before it began has not touched what it was to do.
        task.add_done_callback(lambda _: work.close())
        return task

    async def finish(self, work: Coroutine[None, None, None]) -> None:
        """Do something to its end, even if the call that began it is cut off."""
        failed: list[Exception] = []

        async def to_its_end() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - it is raised to the call, not to the worker
                failed.append(error)

        await asyncio.shield(self.run(to_its_end()))
        if failed:
            raise failed[0]

    def stop(self) -> None:
        """Cancel all that goes on."""
        for task in self._running:
            task.cancel()

    @property
    def may_refresh(self) -> bool:
        """Whether there is room for loads that nobody waits for."""
        return len(self.flights) < self.options.loads_max

    def trust(self, *, is_host_bound: bool) -> Trust:
        """Return what is known of writes to a store.

        Args:
            is_host_bound: Whether only the workers of this server write to it.
        """
        if not is_host_bound:
            return Trust() if self.shared_channel is None else self.shared_channel.trust()
        if self.local_channel is not None:
            return self.local_channel.trust()
        # Only this worker writes. What it finds in a shared tier from before it began may be
        # what a write of its predecessor could not drop.
        return Trust(self.opened_s, float("inf"))

    def doubt(self) -> None:
        """Trust nothing that was read before now beyond its bound, for lack of a channel."""
        self.opened_s = self.clock.monotonic()

    def on_news(self, table: str, places: Sequence[bytes]) -> None:
        """Drop what another worker says it has written."""
        self.drop([Place(table, key) for key in places])

    def drop(self, places: Sequence[Place]) -> None:
        """Drop places from the near cache, and fence the loads that are under way for them."""
        for place in places:
            self.flights.fence(place)
            self.near.drop(place)
        self.watchers.tell(places)


async def _guarded(work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - a defect in one load must not end the worker
        _log.exception("work of the cache failed")
