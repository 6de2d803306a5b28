"""Opening and closing a gateway: adapters, tables, and the match of the two."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from taulu.cache import CacheOptions, CacheRoom
from taulu.gateway.assembly import Shared, assemble
from taulu.gateway.caches import cache_refusals, open_room, shared_target
from taulu.gateway.gateway import Binding, Gateway
from taulu.model.errors import ConfigError
from taulu.model.table import Table
from taulu.policy.admission import Gate
from taulu.spi.adapter import Adapter, Environment
from taulu.spi.registry import load_adapter


@dataclass(frozen=True, slots=True)
class StorageTarget:
    """A named place for tables: an adapter and its options."""

    adapter: str
    options: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """What a gateway needs to know besides its tables."""

    storage: Mapping[str, StorageTarget]
    """Storage targets by the name that tables use."""
    calls_max: int = 512
    """How many calls one worker carries out at once."""
    cache: CacheOptions = field(default_factory=CacheOptions)
    """How tables are cached that ask for it."""


@asynccontextmanager
async def open_gateway(
    tables: Sequence[Table], options: GatewayOptions, environment: Environment
) -> AsyncGenerator[Gateway]:
    """Open every adapter that a table needs, prepare the tables, and close all at the end.

    Raises:
        ConfigError: A table names an unknown target, or asks for what its adapter cannot
            give; the message lists every such table with every reason.
        SchemaConflict: A stored table does not fit its description.
        Unavailable: A backend cannot be reached.
    """
    adapters = _make_adapters(tables, options, environment)
    _check_tables(tables, adapters, options.cache)
    gate = Gate(options.calls_max)
    window_us = int(environment.token_window_s * 1_000_000)
    tier = shared_target(options.cache, tables)
    async with AsyncExitStack() as stack:
        for adapter in adapters.values():
            # Registered first, so that an adapter that opens half is closed too.
            stack.push_async_callback(adapter.close)
            await adapter.open()
        room = await stack.enter_async_context(
            open_room(
                options.cache,
                adapters[tier] if tier else None,
                environment,
                is_needed=any(table.cache is not None for table in tables),
            )
        )
        shared = Shared(environment.clock, gate, window_us, room)
        bindings: dict[str, Binding] = {}
        for table in tables:
            adapter = adapters[table.storage]
            await adapter.prepare(table)
            pipeline = assemble(table, adapter, shared)
            bindings[table.full_name] = Binding(table, adapter, pipeline.handler, pipeline.cached)
        if room is not None:
            _warm_up(bindings.values(), room)
        yield Gateway(bindings, room, 0 if room is None else secrets.randbits(62) + 1)


def _warm_up(bindings: Iterable[Binding], room: CacheRoom) -> None:
    for binding in bindings:
        if binding.cached is not None and binding.cached.warm_up.loads.policy.warm_up_rows:
            room.run(binding.cached.warm_up.run())


def _make_adapters(
    tables: Sequence[Table], options: GatewayOptions, environment: Environment
) -> dict[str, Adapter]:
    wanted = [(f"table {table.full_name}", table.storage) for table in tables]
    tier = shared_target(options.cache, tables)
    if tier:
        wanted.append(("`cache.shared`", tier))
    adapters: dict[str, Adapter] = {}
    for who, name in wanted:
        target = options.storage.get(name)
        if target is None:
            known = ", ".join(sorted(options.storage)) or "none"
            raise ConfigError(
                f"{who} names storage {name!r}, which the settings do not have; they have: {known}",
                details={"storage": name},
            )
        if name not in adapters:
            adapter_type = load_adapter(target.adapter)
            adapters[name] = adapter_type.create(target.options, environment)
    return adapters


def _check_tables(
    tables: Sequence[Table], adapters: Mapping[str, Adapter], cache: CacheOptions
) -> None:
    refusals: list[str] = []
    for table in tables:
        adapter = adapters[table.storage]
        reasons = adapter.refusals(table)
        reasons += cache_refusals(table, adapter, has_shared=bool(cache.shared))
        if reasons:
            refusals.append(
                f"table {table.full_name} cannot live on adapter {adapter.name}: "
                + "; ".join(reasons)
            )
    if refusals:
        raise ConfigError("\n".join(refusals))
