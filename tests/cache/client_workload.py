"""Runs of a scenario in which services keep rows themselves, besides what gateways cache."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, fields, replace
from typing import cast

from taulu.model import Facts
from tests.cache import workload
from tests.cache.checks import Asked, Checker, Item
from tests.cache.sim_client import SimClient, Ways
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_time import SimClock, now_s, simulate
from tests.cache.traffic import reader, writer
from tests.cache.workload import Report
from tests.cache.world import Scenario, World

CLIENTS = 4
SLOW_SHARE, SLOW_S = 0.1, 1.0
"""Of the messages between clients and gateways, how many take how long on average."""
DIRECT_SHARE = 0.2
"""Of the calls, how many go to a gateway past the clients that cache."""


@dataclass(slots=True)
class ClientWorld(World):
    """A world whose traffic goes through clients, mostly."""

    clients: list[SimClient] = field(default_factory=list[SimClient])

    def gateway(self) -> SimGateway:
        """Choose a client, or a gateway that is up."""
        if self.choose.random() < DIRECT_SHARE:
            return World.gateway(self)
        # To the traffic both are what takes its calls.
        return cast(SimGateway, self.choose.choice(self.clients))


class ClientChecker(Checker):
    """Holds replies to the contract as a client can state it."""

    def read(self, asked: Asked, items: list[Item], facts: Facts) -> None:
        """Check one reply; it may call a row older than it is, but never younger.

        That is by as much as its call took, and as gateways' clocks may lie apart.
        """
        more_s = now_s() - asked.begun_s + self.skew_s
        super().read(replace(asked, ttl_s=asked.ttl_s + more_s), items, facts)


def run(scenario: Scenario, seed: int) -> Report:
    """Simulate a scenario with clients that cache; the same seed gives the same history."""
    world = simulate(_run(scenario, seed))
    checker = world.checker
    return Report(
        seed,
        checker.checked,
        checker.violations,
        checker.counts,
        world.errors,
        world.history,
        checker.late_s_max,
    )


async def _run(scenario: Scenario, seed: int) -> ClientWorld:
    plain = workload.world_of(scenario, seed)
    world = ClientWorld(**{part.name: getattr(plain, part.name) for part in fields(World)})
    for at in range(CLIENTS):
        seeds = random.Random(world.choose.random())
        ways = Ways(seeds, slow_share=SLOW_SHARE, slow_s=SLOW_S)
        clock = SimClock(rate=1 + world.choose.uniform(-1e-4, 1e-4))
        world.clients.append(SimClient(f"c{at}", clock, world.gateways, ways))
    world.checker = ClientChecker(world.checker.registers, world.checker.skew_s)
    await workload.begin(world)
    for client in world.clients:
        client.open()
    async with asyncio.TaskGroup() as group:
        for _ in range(scenario.readers):
            group.create_task(reader(world, scenario))
        for _ in range(scenario.writers):
            group.create_task(writer(world, scenario))
        hurting = group.create_task(workload.faults(world, scenario))
        await asyncio.sleep(scenario.duration_s)
        hurting.cancel()
        world.is_over = True
    await workload.heal(world)
    await workload.settled(world)
    for client in world.clients:
        await client.close()
    for gateway in world.gateways:
        await gateway.stop()
    return world
