"""Scenarios that press on one fence each, so that a missing one is found within seconds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from taulu.model import Level
from tests.cache.scenarios import nothing
from tests.cache.sim_network import NetworkFaults
from tests.cache.sim_store import StoreFaults
from tests.cache.world import OPTIONS, Scenario, World

_EVENTUAL = (Level.EVENTUAL,)
_SLOW_STORE = StoreFaults(slow_share=0.3, slow_s=1.0)

HOT = Scenario(
    nothing,
    duration_s=60.0,
    gateways=2,
    readers=8,
    writers=2,
    write_mean_s=2.0,
    tables=("long",),
    levels=_EVENTUAL,
    partitions=2,
    batch_max=1,
    store=_SLOW_STORE,
    network=NetworkFaults(slow_share=0.5, slow_s=0.4),
)
"""Few rows that many read and few write, over slow ways."""


async def _joins_unheard(world: World) -> None:
    """Let a gateway leave, and come back unheard."""
    gateway = world.gateways[-1]
    await gateway.stop()
    await asyncio.sleep(1.0)
    world.network.faults.mute.add(gateway.name + "-0")
    await gateway.start()
    await asyncio.sleep(5.0)
    world.network.faults.mute.clear()
    await asyncio.sleep(1.0)


async def _is_cut_off_long(world: World) -> None:
    """Cut a gateway off for longer than it is remembered."""
    name = world.gateways[-1].name + "-0"
    world.network.faults.cut.add(name)
    await asyncio.sleep(OPTIONS.forget_s * 2)
    world.network.faults.cut.clear()
    await asyncio.sleep(2.0)


async def _is_cut_off_unlisted(world: World) -> None:
    """Lose the list of members while one is cut off, and start another."""
    name = world.gateways[-1].name + "-0"
    world.network.faults.cut.add(name)
    world.network.fall(forgets=True)
    await asyncio.sleep(0.1)
    world.network.rise()
    await world.gateways[0].stop()
    await world.gateways[0].start()
    await asyncio.sleep(OPTIONS.forget_s / 2)
    world.network.faults.cut.clear()
    await asyncio.sleep(OPTIONS.forget_s)


async def _dies_unheard(world: World) -> None:
    """Kill a gateway that nobody heard in its last seconds, and let it be forgotten."""
    gateway = world.gateways[-1]
    await asyncio.sleep(6.0)
    world.network.faults.mute.add(gateway.name + "-0")
    await asyncio.sleep(2.0)
    await gateway.kill()
    await asyncio.sleep(OPTIONS.forget_s + 6.0)
    world.network.faults.mute.clear()
    await gateway.start()


async def _comes_back_unknown(world: World) -> None:
    """Let a gateway that never was heard end, and come back under its name."""
    listener, gateway = world.gateways[0], world.gateways[-1]
    world.network.faults.mute.add(gateway.name + "-0")
    await listener.stop()
    await listener.start()
    await asyncio.sleep(3.0)
    await gateway.kill()
    world.network.faults.mute.clear()
    await gateway.start()
    await asyncio.sleep(3.0)


async def _is_mute_for_a_moment(world: World) -> None:
    """Silence one gateway for a little longer than the bound, again and again."""
    await world.pause(1.0)
    name = world.choose.choice(world.gateways).name + "-0"
    world.network.faults.mute.add(name)
    await asyncio.sleep(1.8)
    world.network.faults.mute.clear()


_APART = replace(
    HOT,
    skew_s=0.7,
    is_apart=True,
    writers=4,
    write_mean_s=0.8,
    store=StoreFaults(),
    network=NetworkFaults(),
)

LOST_DROPS = replace(HOT, tables=("shared",), network=NetworkFaults(tier_lose_share=0.3))
LOST_NEWS = replace(HOT, network=NetworkFaults(mute_share=0.3), store=StoreFaults())
UNHEARD = replace(HOT, faults=_joins_unheard, store=StoreFaults(), network=NetworkFaults())
COMES_BACK = replace(UNHEARD, faults=_comes_back_unknown)
CUT_OFF = replace(
    HOT, faults=_is_cut_off_long, store=StoreFaults(), network=NetworkFaults(), write_mean_s=1.0
)
UNLISTED = replace(CUT_OFF, faults=_is_cut_off_unlisted)
LAST_WORDS = replace(
    HOT,
    faults=_dies_unheard,
    duration_s=200.0,
    partitions=100,
    readers=4,
    read_mean_s=0.3,
    writers=12,
    store=StoreFaults(),
    network=NetworkFaults(),
)
RIVALS = replace(
    HOT,
    tables=("through",),
    gateways=1,
    writers=6,
    write_mean_s=1.0,
    partitions=3,
    network=NetworkFaults(),
)
CROWDED = replace(
    HOT,
    duration_s=30.0,
    tables=("near",),
    partitions=30,
    writers=12,
    write_mean_s=0.5,
    skew_s=0.02,
    store=StoreFaults(),
    network=NetworkFaults(slow_share=0.5, slow_s=0.45, news_s=0.6),
)
"""Many who write while messages are on their way, of rows that are seldom written again."""

STALE = replace(
    LOST_NEWS,
    tables=("stale",),
    # Few others, for their loads make it younger.
    levels=(*_EVENTUAL * 20, Level.BOUNDED_STALENESS, Level.SESSION),
    readers=4,
    read_mean_s=0.2,
    store=StoreFaults(fail_share=0.4),
)
EXPIRING = replace(
    HOT, tables=("expiring", "expiring wide"), writers=4, write_mean_s=1.5, duration_s=90.0
)
BOUNDED = replace(LOST_NEWS, levels=(Level.BOUNDED_STALENESS,))
SESSIONS = replace(LOST_NEWS, levels=(Level.SESSION, Level.EVENTUAL), writers=6, write_mean_s=0.8)
SLOW_SESSIONS = replace(SESSIONS, store=_SLOW_STORE)
PAGES = replace(
    SLOW_SESSIONS, tables=("wide",), partitions=2, sessions=40, writers=10, duration_s=120.0
)
SKEWED_NEWS = replace(
    _APART,
    faults=_is_mute_for_a_moment,
    tables=("near",),
    network=NetworkFaults(news_s=0.6),
    partitions=12,
)
SKEWED_TIER = replace(_APART, network=NetworkFaults(mute_share=0.4))
SKEWED_SESSIONS = replace(
    _APART, levels=(Level.SESSION, Level.EVENTUAL), network=NetworkFaults(mute_share=0.4)
)
