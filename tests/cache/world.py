"""One simulated world, and what is asked of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from taulu.cache import CacheOptions
from taulu.model import Key, Level, Table, WriteUnit
from tests.cache.checks import Checker, Session
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_network import Network, NetworkFaults
from tests.cache.sim_store import ModelStore, StoreFaults
from tests.cache.sim_tables import CLUSTERING
from tests.cache.sim_time import now_s

LEVELS = tuple(Level)
USUAL_LEVELS = (
    *(Level.EVENTUAL,) * 5,
    *(Level.BOUNDED_STALENESS,) * 2,
    *(Level.SESSION,) * 3,
    Level.QUORUM,
    Level.LINEARIZABLE,
)
OPTIONS = CacheOptions(
    shared="simulated",
    load_timeout_s=3.0,
    lease_s=1.0,
    clock_skew_s=0.2,
    beat_s=0.1,
    forget_s=8.0,
)


@dataclass(slots=True)
class World:
    """All parts of one simulation."""

    choose: random.Random
    store: ModelStore
    network: Network
    gateways: list[SimGateway]
    checker: Checker
    sessions: list[Session]
    tables: Sequence[Table]
    partitions: tuple[str, ...]
    history: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    errors: dict[str, int] = field(default_factory=dict[str, int])
    is_over: bool = False
    patience_s: float = 3.0
    keeps_history: bool = True
    sent: list[tuple[str, WriteUnit]] = field(default_factory=list[tuple[str, WriteUnit]])
    """What was written of late, to be sent again."""
    _nonces: int = 0

    def gateway(self) -> SimGateway:
        """Choose a gateway that is up."""
        up = [gateway for gateway in self.gateways if gateway.is_up]
        return self.choose.choice(up or self.gateways)

    def pause(self, mean_s: float) -> Awaitable[None]:
        """Rest for a random time."""
        return asyncio.sleep(self.choose.expovariate(1 / mean_s))

    def nonce(self) -> str:
        """Return the next name of an effect."""
        self._nonces += 1
        return f"effect-{self._nonces}"

    def note(self, *what: object) -> None:
        """Add to the history."""
        if self.keeps_history:
            self.history.append((round(now_s(), 6), *what))


Faults = Callable[[World], Awaitable[None]]
"""Hurts a world, and mends it again."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated."""

    faults: Faults
    duration_s: float = 40.0
    gateways: int = 3
    readers: int = 12
    read_mean_s: float = 0.05
    writers: int = 4
    write_mean_s: float = 0.5
    tables: tuple[str, ...] = ()
    """Names of the tables that are used; empty for all."""
    levels: tuple[Level, ...] = USUAL_LEVELS
    store: StoreFaults = field(default_factory=StoreFaults)
    network: NetworkFaults = field(default_factory=NetworkFaults)
    partitions: int = 4
    """How many partitions of each table are used."""
    skew_s: float = 0.2
    """How far the clocks of two gateways may lie apart."""
    is_apart: bool = False
    """Whether they lie that far apart all the time; else they swing."""
    batch_max: int = 3
    sessions: int = 6


def keys_of(world: World, table: Table) -> list[Key]:
    """Return all keys that a simulation uses."""
    if table.clustering_key:
        return [Key((p,), (c,)) for p in world.partitions for c in CLUSTERING]
    return [Key((p,)) for p in world.partitions]
