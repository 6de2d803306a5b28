"""Opening and closing a gateway: adapters, tables, and the match of the two."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from taulu.cache import CacheRoom
from taulu.gateway.assembly import Shared, assemble
from taulu.gateway.caches import open_room, shared_target
from taulu.gateway.gateway import Binding, Gateway
from taulu.gateway.options import GatewayOptions
from taulu.gateway.refusals import load_refusals
from taulu.gateway.start import until_there
from taulu.model.errors import ConfigError
from taulu.model.table import Table
from taulu.policy.admission import Gate
from taulu.spi.adapter import Adapter, Environment
from taulu.spi.registry import load_adapter


@asynccontextmanager
async def open_gateway(
    tables: Sequence[Table], options: GatewayOptions, environment: Environment
) -> AsyncGenerator[Gateway]:
    """Open every adapter that a table needs, prepare the tables, and close all at the end.

    Raises:
        ConfigError: A table names an unknown target, or asks for what its adapter cannot
            give; the message lists every such table with every reason.
        SchemaConflict: A stored table does not fit its description.
        TransientError: A backend cannot be reached, or a table not be prepared, for longer than
            `start_wait_s`.
    """
    adapters = _make_adapters(tables, options, environment)
    refusals = load_refusals(tables, options, adapters)
    if refusals:
        raise ConfigError("\n".join(refusal.what for refusal in refusals))
    gate = Gate(options.calls_max)
    window_us = int(environment.token_window_s * 1_000_000)
    tier = shared_target(options.cache, tables)
    async with AsyncExitStack() as stack:
        for name, adapter in adapters.items():
            # Registered first, so that an adapter that opens half is closed too.
            stack.push_async_callback(adapter.close)
            await until_there(
                f"storage {name}", adapter.open, options.start_wait_s, environment.clock
            )
        room = await stack.enter_async_context(
            open_room(
                options.cache,
                adapters[tier] if tier else None,
                environment,
                is_needed=any(table.cache is not None for table in tables),
                start_wait_s=options.start_wait_s,
            )
        )
        shared = Shared(environment.clock, gate, window_us, room)
        bindings: dict[str, Binding] = {}
        for table in tables:
            adapter = adapters[table.storage]
            await until_there(
                f"table {table.full_name}",
                partial(adapter.prepare, table),
                options.start_wait_s,
                environment.clock,
            )
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
    """Return the adapter of every target that is needed; one that is not set has none."""
    needed = [table.storage for table in tables] + [shared_target(options.cache, tables)]
    adapters: dict[str, Adapter] = {}
    for name in dict.fromkeys(needed):
        target = options.storage.get(name)
        if target is not None:
            adapters[name] = load_adapter(target.adapter).create(target.options, environment)
    return adapters
