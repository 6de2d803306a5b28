"""Readers and writers of a simulation, each choosing anew what to do with whom."""

from __future__ import annotations

from dataclasses import replace

from taulu.model import (
    Absent,
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
from tests.cache.checks import Asked, Item, Session
from tests.cache.sim_gateway import SimGateway
from tests.cache.sim_tables import CLUSTERING
from tests.cache.sim_time import START_US, now_s
from tests.cache.world import Scenario, World, keys_of

PAGE_ROWS = 3
SHORT_S = 0.02
"""The patience of a client that gives up early."""


async def reader(world: World, scenario: Scenario) -> None:
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
            await read_page(world, gateway, table, choose.choice(world.partitions), level, session)
        else:
            keys = choose.choices(keys_of(world, table), k=choose.randint(1, scenario.batch_max))
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


async def writer(world: World, scenario: Scenario) -> None:
    choose = world.choose
    while not world.is_over:
        await world.pause(scenario.write_mean_s)
        table = choose.choice(world.tables)
        again = [sent for sent in world.sent[-40:] if sent[0] == table.full_name]
        if again and choose.random() < 0.15:
            units = [choose.choice(again)[1]]
        else:
            count = 1 if choose.random() < 0.8 else 2
            key = choose.choice(keys_of(world, table))
            units = [_unit(world, table, key) for _ in range(count)]
            world.sent += [(table.full_name, unit) for unit in units]
            del world.sent[:-200]
        patience_s = SHORT_S if choose.random() < 0.1 else world.patience_s
        session = choose.choice(world.sessions)
        await write(world, table, units, session, patience_s)
        if choose.random() < 0.5:
            await _read_own(world, table, units[0], session)


async def _read_own(world: World, table: Table, unit: WriteUnit, session: Session) -> None:
    """Read what a session has just written, wherever it comes to."""
    (mutation,) = unit.mutations
    assert isinstance(mutation, Put | Delete)
    await world.pause(0.05)
    if table.clustering_key and world.choose.random() < 0.6:
        partition = str(mutation.key.partition[0])
        await read_page(world, world.gateway(), table, partition, Level.SESSION, session)
    else:
        await read_rows(world, world.gateway(), table, (mutation.key,), Level.SESSION, session)


def _unit(world: World, table: Table, key: Key) -> WriteUnit:
    nonce = world.nonce()
    token = IdempotencyToken(START_US + int(now_s() * 1e6), nonce)
    if world.choose.random() < 0.25:
        return WriteUnit((Delete(key),), token)
    ttl_us = None
    if table.ttl_us is not None:
        # The shortest end before the bound, the longest long after it.
        ttl_us = int(table.ttl_us * world.choose.choice((0.1, 0.4, 1.0)))
    return WriteUnit((Put(key, {"n": int(nonce.removeprefix("effect-"))}, ttl_us),), token)


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
    # As text, for errors that say the same are not equal.
    world.note(gateway.name, table.name, "write", repr(units), repr(result))
    for unit, outcome in zip(units, result.outcomes, strict=True):
        if isinstance(outcome, Written):
            cell = world.store.registers.cell(table.full_name, unit.mutations[0].key)  # type: ignore[union-attr]
            at = cell.acknowledge(now_s(), unit.token.nonce)
            session.see(cell, at)
        else:
            _failed(world, asked, outcome.error)
    session.take(result.facts)
