"""Readers, writers and faults of one simulation, all chosen by one seed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from taulu.cache import CacheOptions
from taulu.conformance.promises import SEED_VARIABLE
from taulu.model import (
    CallerError,
    Consistency,
    Delete,
    FatalError,
    GetRows,
    IdempotencyToken,
    Key,
    Level,
    Page,
    Put,
    QueryRows,
    RowPage,
    RowReads,
    Table,
    TauluError,
    WriteResults,
    WriteRows,
    WriteUnit,
    Written,
)
from tests.cache.checks import Asked, Checker, Item, Session
from tests.cache.registers import Registers
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_network import Network, NetworkFaults
from tests.cache.sim_store import ModelStore, StoreFaults
from tests.cache.sim_time import START_US, SimClock, now_s, simulate
from tests.cache.sim_tables import CLUSTERING, PARTITIONS, TABLES

LEVELS = tuple(Level)
PAGE_ROWS = 3
OPTIONS = CacheOptions(
    shared="simulated",
    load_timeout_s=3.0,
    lease_s=1.0,
    clock_skew_s=0.2,
    beat_s=0.1,
    forget_s=8.0,
)
SETTLE_S = 12.0
"""How long after the last fault all reads are in order: faults end, members are forgotten."""
SHORT_S = 0.02
"""The patience of a client that gives up early."""


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
    history: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    errors: dict[str, int] = field(default_factory=dict[str, int])
    is_over: bool = False
    patience_s: float = 3.0
    _nonces: int = 0
    _sent: list[tuple[str, WriteUnit]] = field(default_factory=list[tuple[str, WriteUnit]])

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
    levels: tuple[Level, ...] = LEVELS
    store: StoreFaults = field(default_factory=StoreFaults)
    network: NetworkFaults = field(default_factory=NetworkFaults)
    swing_s: float = 0.095
    """How far each gateway's clock is off, to either side: not quite half the skew."""
    batch_max: int = 3
    keeps_history: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a simulation."""

    seed: int
    checked: int
    violations: list[str]
    counts: dict[str, int]
    errors: dict[str, int]
    history: list[tuple[object, ...]]
    late_s_max: float

    def text(self) -> str:
        """Return it to be read."""
        lines = [f"{SEED_VARIABLE}={self.seed}: {self.checked} reads checked, {self.counts}"]
        return "\n".join([*lines, f"errors: {self.errors}", *self.violations])


def run(scenario: Scenario, seed: int) -> Report:
    """Simulate a scenario; the same seed gives the same history."""
    alarms = _Alarms()
    log = logging.getLogger("taulu.cache")
    before = log.level, log.propagate
    log.addHandler(alarms)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        world = simulate(_run(scenario, seed))
    finally:
        log.removeHandler(alarms)
        log.setLevel(before[0])
        log.propagate = before[1]
    checker = world.checker
    return Report(
        seed,
        checker.checked,
        checker.violations + alarms.texts,
        checker.counts,
        world.errors,
        world.history,
        checker.late_s_max,
    )


class _Alarms(logging.Handler):
    """Keeps what the cache itself calls a defect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


def _world(scenario: Scenario, seed: int) -> World:
    choose = random.Random(seed)
    registers = Registers()
    store = ModelStore(random.Random(choose.random()), registers, replace(scenario.store))
    faults = replace(scenario.network, cut=set(), mute=set(), deaf=set())
    network = Network(random.Random(choose.random()), faults)
    tables = [t for t in TABLES if not scenario.tables or t.name in scenario.tables]
    gateways: list[SimGateway] = []
    for at in range(scenario.gateways):
        swing, phase, rate = choose.random(), choose.random(), 1 + choose.uniform(-1e-4, 1e-4)
        clock = SimClock(scenario.swing_s * (0.5 + swing / 2), 31.0, phase, rate)
        seeds = random.Random(choose.random())
        made = SimGateway(f"g{at}", clock, store, network, tables, OPTIONS, seeds)
        gateways.append(made)
    sessions = [Session() for _ in range(6)]
    checker = Checker(registers, OPTIONS.clock_skew_s)
    return World(choose, store, network, gateways, checker, sessions, tables)


async def _run(scenario: Scenario, seed: int) -> World:
    world = _world(scenario, seed)
    for table in world.tables:
        for key in keys_of(table):
            world.store.registers.cell(table.full_name, key)
    for gateway in world.gateways:
        await gateway.start()
    async with asyncio.TaskGroup() as group:
        for _ in range(scenario.readers):
            group.create_task(_reader(world, scenario))
        for _ in range(scenario.writers):
            group.create_task(_writer(world, scenario))
        faults = group.create_task(_faults(world, scenario))
        await asyncio.sleep(scenario.duration_s)
        faults.cancel()
        world.is_over = True
    await _heal(world, scenario)
    await _settled(world)
    for gateway in world.gateways:
        await gateway.stop()
    return world


async def _faults(world: World, scenario: Scenario) -> None:
    while True:
        await scenario.faults(world)


async def _heal(world: World, scenario: Scenario) -> None:
    """End all faults, and wait until the contract says that nothing of them is left."""
    world.store.faults = StoreFaults()
    world.network.faults = NetworkFaults()
    if not world.network.is_up:
        world.network.rise()
    for gateway in world.gateways:
        if not gateway.is_up:
            await gateway.start()
    await asyncio.sleep(SETTLE_S)
    del scenario


async def _settled(world: World) -> None:
    """Read every row at every level from every gateway: all show the last state."""
    for gateway in world.gateways:
        for table in world.tables:
            for level in LEVELS:
                keys = tuple(keys_of(table))
                await read_rows(world, gateway, table, keys, level, None)


def keys_of(table: Table) -> list[Key]:
    """Return all keys that a simulation uses."""
    if table.clustering_key:
        return [Key((p,), (c,)) for p in PARTITIONS for c in CLUSTERING]
    return [Key((p,)) for p in PARTITIONS]


async def _reader(world: World, scenario: Scenario) -> None:
    choose = world.choose
    while not world.is_over:
        await world.pause(scenario.read_mean_s)
        table = choose.choice(world.tables)
        session = choose.choice(world.sessions) if choose.random() < 0.7 else None
        level = choose.choice(scenario.levels)
        if session is not None and choose.random() < 0.02:
            session.join(choose.choice(world.sessions))
        gateway = world.gateway()
        if table.clustering_key and choose.random() < 0.6:
            await read_page(world, gateway, table, choose.choice(PARTITIONS), level, session)
        else:
            keys = choose.choices(keys_of(table), k=choose.randint(1, scenario.batch_max))
            await read_rows(world, gateway, table, tuple(keys), level, session)


def _consistency(
    world: World, table: Table, level: Level, session: Session | None
) -> tuple[Consistency, float]:
    assert table.cache is not None
    bound_s = table.cache.staleness_us / 1e6
    match level:
        case Level.BOUNDED_STALENESS:
            asked_s = world.choose.choice((0.05, 0.3, 2.0))
            consistency = Consistency(level, staleness_us_max=int(asked_s * 1e6))
            return consistency, min(bound_s, asked_s)
        case Level.SESSION if session is not None:
            token = Consistency(level, session_version=session.version, session_us=session.time_us)
            return token, bound_s
        case _:
            return Consistency(level), bound_s


def _asked(table: Table, level: Level, bound_s: float, session: Session | None) -> Asked:
    assert table.cache is not None
    # What a session sees while this call is under way does not bind it: its token is older.
    held = None if session is None else replace(session, seen=dict(session.seen))
    ttl_s = table.cache.ttl_us / 1e6
    return Asked(table.full_name, level, now_s(), bound_s, ttl_s, held)


async def read_rows(
    world: World,
    gateway: SimGateway,
    table: Table,
    keys: tuple[Key, ...],
    level: Level,
    session: Session | None,
) -> None:
    """Read rows, and check what comes."""
    consistency, bound_s = _consistency(world, table, level, session)
    asked = _asked(table, level, bound_s, session)
    try:
        result = await gateway.call(
            GetRows(table.full_name, keys, consistency=consistency), world.patience_s
        )
    except TauluError as error:
        _failed(world, asked, error)
        return
    assert isinstance(result, RowReads)
    items: list[Item] = []
    for key, got in zip(keys, result.outcomes, strict=True):
        if hasattr(got, "error"):
            _failed(world, asked, got.error)
        else:
            items.append((key, got))
    world.note(gateway.name, table.name, level.name, items, result.facts)
    world.checker.read(asked, items, result.facts)
    _see(session, asked, result.facts)


async def read_page(
    world: World,
    gateway: SimGateway,
    table: Table,
    partition: str,
    level: Level,
    session: Session | None,
) -> None:
    """Read the first page of a partition, and check what comes; rows that it lacks too."""
    consistency, bound_s = _consistency(world, table, level, session)
    asked = _asked(table, level, bound_s, session)
    query = QueryRows(
        table.full_name, (partition,), Page(PAGE_ROWS, 1024 * 1024), consistency=consistency
    )
    try:
        result = await gateway.call(query, world.patience_s)
    except TauluError as error:
        _failed(world, asked, error)
        return
    assert isinstance(result, RowPage)
    found = {row.key: row for row in result.rows}
    last = str(result.rows[-1].key.clustering[0]) if result.next_token else "~"
    from taulu.model import Absent

    items: list[Item] = [
        (key, found.get(key, Absent()))
        for key in (Key((partition,), (c,)) for c in CLUSTERING)
        if str(key.clustering[0]) <= last
    ]
    world.note(gateway.name, table.name, level.name, items, result.facts)
    world.checker.read(asked, items, result.facts)
    _see(session, asked, result.facts)


def _see(session: Session | None, asked: Asked, facts: object) -> None:
    if session is None or asked.session is None:
        return
    session.take(facts)  # type: ignore[arg-type]
    for name, at in asked.session.seen.items():
        session.seen[name] = max(at, session.seen.get(name, 0))


def _failed(world: World, asked: Asked, error: TauluError) -> None:
    name = type(error).__name__
    world.errors[name] = world.errors.get(name, 0) + 1
    if isinstance(error, FatalError | CallerError):
        world.checker.fail("error", asked, f"{name}: {error}", None)


async def _writer(world: World, scenario: Scenario) -> None:
    choose = world.choose
    while not world.is_over:
        await world.pause(scenario.write_mean_s)
        table = choose.choice(world.tables)
        again = [sent for sent in world._sent[-40:] if sent[0] == table.full_name]
        if again and choose.random() < 0.15:
            units = [choose.choice(again)[1]]
        else:
            count = 1 if choose.random() < 0.8 else 2
            key = choose.choice(keys_of(table))
            units = [_unit(world, key) for _ in range(count)]
            world._sent += [(table.full_name, unit) for unit in units]
            del world._sent[:-200]
        patience_s = SHORT_S if choose.random() < 0.1 else world.patience_s
        session = choose.choice(world.sessions)
        await write(world, table, units, session, patience_s)


def _unit(world: World, key: Key) -> WriteUnit:
    nonce = world.nonce()
    token = IdempotencyToken(START_US + int(now_s() * 1e6), nonce)
    if world.choose.random() < 0.25:
        return WriteUnit((Delete(key),), token)
    return WriteUnit((Put(key, {"n": int(nonce.removeprefix("effect-"))}),), token)


async def write(
    world: World, table: Table, units: list[WriteUnit], session: Session, patience_s: float
) -> None:
    """Write units, and note which of them were acknowledged."""
    gateway = world.gateway()
    asked = _asked(table, Level.QUORUM, 0.0, None)
    try:
        result = await gateway.call(WriteRows(table.full_name, tuple(units)), patience_s)
    except TauluError as error:
        _failed(world, asked, error)
        return
    assert isinstance(result, WriteResults)
    world.note(gateway.name, table.name, "write", units, result)
    for unit, outcome in zip(units, result.outcomes, strict=True):
        if isinstance(outcome, Written):
            cell = world.store.registers.cell(table.full_name, unit.mutations[0].key)  # type: ignore[union-attr]
            at = cell.acknowledge(now_s(), unit.token.nonce)
            session.see(cell, at)
        else:
            _failed(world, asked, outcome.error)
    session.take(result.facts)
