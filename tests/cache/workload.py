"""One run of a scenario: set up from a seed, let run, healed, and read once more."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, replace

from taulu.conformance.promises import SEED_VARIABLE
from tests.cache.checks import Checker, Session
from tests.cache.registers import Registers
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_network import Network, NetworkFaults
from tests.cache.sim_store import ModelStore, StoreFaults
from tests.cache.sim_tables import OTHERS, TABLES
from tests.cache.sim_time import SimClock, simulate
from tests.cache.traffic import read_rows, reader, writer
from tests.cache.world import LEVELS, OPTIONS, Scenario, World, keys_of

SETTLE_S = 12.0
"""How long after the last fault all reads are in order: faults end, members are forgotten."""


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


def run(scenario: Scenario, seed: int, *, keeps_history: bool = True) -> Report:
    """Simulate a scenario; the same seed gives the same history."""
    alarms = _Alarms()
    log = logging.getLogger("taulu.cache")
    before = log.level, log.propagate
    log.addHandler(alarms)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        world = simulate(_run(scenario, seed, keeps_history=keeps_history))
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


def world_of(scenario: Scenario, seed: int) -> World:
    """Return the world of a scenario, before anything in it is started."""
    choose = random.Random(seed)
    registers = Registers()
    store = ModelStore(random.Random(choose.random()), registers, replace(scenario.store))
    faults = replace(scenario.network, cut=set(), mute=set(), deaf=set())
    network = Network(random.Random(choose.random()), faults)
    tables = list(TABLES)
    if scenario.tables:
        tables = [table for table in (*TABLES, *OTHERS) if table.name in scenario.tables]
    options = replace(OPTIONS, clock_skew_s=scenario.skew_s)
    gateways: list[SimGateway] = []
    for at in range(scenario.gateways):
        swing, phase, rate = choose.random(), choose.random(), 1 + choose.uniform(-1e-4, 1e-4)
        swing_s, period_s = scenario.skew_s * 0.49 * (0.5 + swing / 2), 31.0
        if scenario.is_apart:
            swing_s, period_s, phase = scenario.skew_s * 0.49, 1e9, 0.25 + 0.5 * (at % 2)
        clock = SimClock(swing_s, period_s, phase, rate)
        seeds = random.Random(choose.random())
        made = SimGateway(f"g{at}", clock, store, network, tables, options, seeds)
        gateways.append(made)
    sessions = [Session() for _ in range(scenario.sessions)]
    checker = Checker(registers, scenario.skew_s)
    names = tuple(map(str, range(scenario.partitions)))
    return World(choose, store, network, gateways, checker, sessions, tables, names)


async def _run(scenario: Scenario, seed: int, *, keeps_history: bool) -> World:
    world = world_of(scenario, seed)
    world.keeps_history = keeps_history
    await begin(world)
    async with asyncio.TaskGroup() as group:
        for _ in range(scenario.readers):
            group.create_task(reader(world, scenario))
        for _ in range(scenario.writers):
            group.create_task(writer(world, scenario))
        hurting = group.create_task(faults(world, scenario))
        await asyncio.sleep(scenario.duration_s)
        hurting.cancel()
        world.is_over = True
    await heal(world)
    await settled(world)
    for gateway in world.gateways:
        await gateway.stop()
    return world


async def begin(world: World) -> None:
    """Make all rows known, and start the gateways."""
    for table in world.tables:
        for key in keys_of(world, table):
            world.store.registers.cell(table.full_name, key)
    for gateway in world.gateways:
        await gateway.start()


async def faults(world: World, scenario: Scenario) -> None:
    """Hurt a world for ever."""
    while True:
        await scenario.faults(world)


async def heal(world: World) -> None:
    """End all faults, and wait until the contract says that nothing of them is left."""
    world.store.faults = StoreFaults()
    world.network.faults = NetworkFaults()
    if not world.network.is_up:
        world.network.rise()
    for gateway in world.gateways:
        if not gateway.is_up:
            await gateway.start()
    await asyncio.sleep(SETTLE_S)


async def settled(world: World) -> None:
    """Read every row at every level from every gateway: all show the last state."""
    for gateway in world.gateways:
        for table in world.tables:
            for level in LEVELS:
                keys = keys_of(world, table)
                for at in range(0, len(keys), table.limits.batch_keys):
                    some = tuple(keys[at : at + table.limits.batch_keys])
                    await read_rows(world, gateway, table, some, level, None)
