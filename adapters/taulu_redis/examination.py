"""What `taulu doctor` is told of the servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import cast

from taulu.model import Clock, Corrupt, SchemaConflict, Table, TauluError
from taulu.spi import Finding
from taulu_redis._driver import DriverError, Reply, ReplyError
from taulu_redis.greeting import CHECKED, config_of, facts_of, troubles_of
from taulu_redis.layout import Layout, layout_of, merged
from taulu_redis.node import ask
from taulu_redis.settings import Address, Durability, Mode, RedisSettings
from taulu_redis.topology import Topology, find_servers

_ANSWER_S_MAX = 3.0


async def examine(
    settings: RedisSettings, topology: Topology, tables: Sequence[Table], clock: Clock
) -> list[Finding]:
    """Look the servers over, and whether tables fit what they hold, without changing them.

    Closes the topology that it was given.
    """
    findings: list[Finding] = []
    try:
        await find_servers(topology, clock)
        for node in topology.primaries():
            findings += await _server(node.address, settings)
        findings += await _misfits(settings, topology, tables)
    except TauluError as error:
        findings.append(
            Finding(ok=False, what=error.message, mend="start the servers, or mend `nodes`")
        )
    finally:
        await topology.close()
    if settings.mode is not Mode.STANDALONE and settings.quorum_replicas is None:
        findings.append(
            Finding(
                ok=True,
                what="quorum_replicas is not set, so tables here read and write at EVENTUAL only",
            )
        )
    return findings


async def _server(address: Address, settings: RedisSettings) -> list[Finding]:
    """Look a primary over, and the replicas that may take its place."""
    answer = await _ask(address, settings)
    if isinstance(answer, Finding):
        return [answer]
    info, *found = answer
    facts = facts_of(info)
    role = facts.get("role", "unknown role")
    findings = [
        Finding(
            ok=role == "master",
            what=f"Redis {facts.get('redis_version', '?')} at {address} is a {role} with "
            f"{facts.get('connected_slaves', '?')} replicas and {facts.get('used_memory_human')} "
            f"of data, maxmemory {facts.get('maxmemory_human')}",
            mend="name the primary in `nodes`",
        )
    ]
    findings += [*_replicas(address, facts, settings), *_config(address, found, settings)]
    if settings.mode is Mode.STANDALONE:
        return findings
    looks = (_replica(replica, settings) for replica in replicas_in(facts))
    return [*findings, *(found for each in await asyncio.gather(*looks) for found in each)]


async def _replica(address: Address, settings: RedisSettings) -> list[Finding]:
    """Look over what would be the primary after a failover."""
    answer = await _ask(address, settings)
    return [answer] if isinstance(answer, Finding) else _config(address, answer[1:], settings)


async def _ask(address: Address, settings: RedisSettings) -> list[Reply] | Finding:
    commands = [("INFO",), *(("CONFIG", "GET", name) for name in CHECKED)]
    try:
        async with asyncio.timeout(settings.connect_timeout_s + _ANSWER_S_MAX):
            return await ask(address, settings, commands)
    except TimeoutError:
        what = f"Redis at {address} gives no answer in time"
        return Finding(ok=False, what=what, mend="look at the server, and the way to it")
    except (DriverError, OSError) as error:
        what = f"Redis at {address} cannot be reached: {error}"
        return Finding(ok=False, what=what, mend="start it, or mend `nodes` and the log-in")


def replicas_in(facts: Mapping[str, str]) -> list[Address]:
    """Return the replicas in a primary's INFO, as `slave0:ip=10.0.0.2,port=6379,state=online,…`."""
    found: list[Address] = []
    for name, line in facts.items():
        if name.startswith("slave") and name.removeprefix("slave").isdecimal():
            parts = {key: value for key, _, value in (p.partition("=") for p in line.split(","))}
            found.append(Address(parts["ip"], int(parts["port"])))
    return found


async def _misfits(
    settings: RedisSettings, topology: Topology, tables: Sequence[Table]
) -> list[Finding]:
    layouts: dict[Address, list[Layout]] = {}
    for layout in map(layout_of, tables):
        address = topology.node_of(layout.spots.description).address
        layouts.setdefault(address, []).append(layout)
    findings: list[Finding] = []
    for address, placed in layouts.items():
        # A server that does not answer has been told of.
        with contextlib.suppress(DriverError, OSError, TimeoutError):
            async with asyncio.timeout(settings.connect_timeout_s + _ANSWER_S_MAX):
                commands = [("GET", layout.spots.description) for layout in placed]
                replies = await ask(address, settings, commands)
                findings += [
                    finding
                    for layout, reply in zip(placed, replies, strict=True)
                    for finding in _misfit(layout, reply)
                ]
    return findings


def _misfit(layout: Layout, stored: Reply) -> list[Finding]:
    name = layout.table.full_name
    if isinstance(stored, ReplyError):
        what = f"whether table {name} fits what is stored cannot be seen (Redis: {stored.text})"
        return [Finding(ok=False, what=what, mend="see the README for the rights of the user")]
    try:
        merged(layout, cast("bytes | None", stored))
    except (Corrupt, SchemaConflict) as error:
        return [Finding(ok=False, what=error.message, mend="mend the table's file")]
    return []


def _replicas(address: Address, facts: Mapping[str, str], settings: RedisSettings) -> list[Finding]:
    wanted, there = settings.quorum_replicas, int(facts.get("connected_slaves", "0"))
    if wanted is None:
        return []
    return [
        Finding(
            ok=there == wanted,
            what=f"QUORUM at {address} waits for {wanted} replicas, and {there} are there",
            mend="start the replicas that are missing; set quorum_replicas to all of them",
        )
    ]


def _config(address: Address, found: list[Reply], settings: RedisSettings) -> list[Finding]:
    config = config_of(found)
    if config is None:
        what = f"Redis at {address} does not show its configuration"
        return [Finding(ok=False, what=what, mend="let this user run CONFIG GET, or check by hand")]
    troubles = troubles_of(config, settings)
    if troubles:
        return [Finding(ok=False, what=f"{address}: {t}", mend="see there") for t in troubles]
    kept = {
        Durability.ALWAYS: "what is acknowledged is on its disk",
        Durability.EVERYSEC: "the last second may be lost in a crash",
        Durability.NONE: "everything may be lost in a crash",
    }[settings.durability]
    return [Finding(ok=True, what=f"{address} is set up as declared: {kept}")]
