"""What goes wrong in a simulation, one kind of trouble each."""

from __future__ import annotations

import asyncio

from tests.cache.sim_network import NetworkFaults
from tests.cache.sim_store import StoreFaults
from tests.cache.world import OPTIONS, Scenario, World


async def nothing(world: World) -> None:
    """Let all go well."""
    del world
    await asyncio.sleep(1.0)


async def partitions(world: World) -> None:
    """Cut one gateway off in some way for a while, longer than it is remembered now and then."""
    await world.pause(2.0)
    faults, choose = world.network.faults, world.choose
    name = choose.choice(world.gateways).name + "-0"
    kind = choose.choice((faults.cut, faults.mute, faults.deaf))
    kind.add(name)
    if choose.random() < 0.3:
        world.network.break_ways([name])
    await asyncio.sleep(choose.choice((0.3, 2.0, OPTIONS.forget_s * 1.6)))
    kind.discard(name)


async def outages(world: World) -> None:
    """Kill the shared cache, with its memory or without."""
    await world.pause(4.0)
    world.network.fall(forgets=world.choose.random() < 0.7)
    await asyncio.sleep(world.choose.choice((0.05, 1.0, 5.0)))
    world.network.rise()


async def restarts(world: World) -> None:
    """Stop or kill a gateway, and start it again soon, later, or long after."""
    await world.pause(2.0)
    gateway = world.choose.choice(world.gateways)
    if not gateway.is_up:
        return
    if world.choose.random() < 0.6:
        await gateway.kill()
    else:
        await gateway.stop()
    await asyncio.sleep(world.choose.choice((0.05, 1.0, OPTIONS.forget_s * 1.2)))
    await gateway.start()


async def all_at_once(world: World) -> None:
    """Any of these, one after the other."""
    await world.choose.choice((partitions, outages, restarts))(world)


ROUGH_STORE = StoreFaults(
    slow_share=0.1, slow_s=1.5, fail_share=0.02, unknown_share=0.05, late_s=2.0
)
ROUGH_NETWORK = NetworkFaults(slow_share=0.05, slow_s=0.4, lose_share=0.02, mute_share=0.01)

SCENARIOS = {
    "calm": Scenario(nothing),
    "slow": Scenario(nothing, store=ROUGH_STORE, network=NetworkFaults(slow_share=0.2, slow_s=0.5)),
    "losses": Scenario(nothing, store=ROUGH_STORE, network=ROUGH_NETWORK),
    "partitions": Scenario(partitions, store=ROUGH_STORE, network=ROUGH_NETWORK, duration_s=60.0),
    "outages": Scenario(outages, store=ROUGH_STORE, network=ROUGH_NETWORK),
    "restarts": Scenario(restarts, store=ROUGH_STORE, network=ROUGH_NETWORK, duration_s=60.0),
    "all": Scenario(all_at_once, store=ROUGH_STORE, network=ROUGH_NETWORK, duration_s=90.0),
}
