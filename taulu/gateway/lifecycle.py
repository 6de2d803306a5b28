"""Opening and closing a gateway: adapters, tables, and the match of the two."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from taulu.gateway.assembly import Shared, assemble
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
    _check_tables(tables, adapters)
    gate = Gate(options.calls_max)
    shared = Shared(environment.clock, gate, int(environment.token_window_s * 1_000_000))
    async with AsyncExitStack() as stack:
        for adapter in adapters.values():
            # Registered first, so that an adapter that opens half is closed too.
            stack.push_async_callback(adapter.close)
            await adapter.open()
        bindings: dict[str, Binding] = {}
        for table in tables:
            adapter = adapters[table.storage]
            await adapter.prepare(table)
            bindings[table.full_name] = Binding(table, adapter, assemble(table, adapter, shared))
        yield Gateway(bindings)


def _make_adapters(
    tables: Sequence[Table], options: GatewayOptions, environment: Environment
) -> dict[str, Adapter]:
    adapters: dict[str, Adapter] = {}
    for table in tables:
        target = options.storage.get(table.storage)
        if target is None:
            known = ", ".join(sorted(options.storage)) or "none"
            raise ConfigError(
                f"table {table.full_name} names storage {table.storage!r}, which the settings "
                f"do not have; they have: {known}",
                details={"table": table.full_name, "storage": table.storage},
            )
        if table.storage not in adapters:
            adapter_type = load_adapter(target.adapter)
            adapters[table.storage] = adapter_type.create(target.options, environment)
    return adapters


def _check_tables(tables: Sequence[Table], adapters: Mapping[str, Adapter]) -> None:
    refusals: list[str] = []
    for table in tables:
        adapter = adapters[table.storage]
        reasons = adapter.refusals(table)
        if reasons:
            refusals.append(
                f"table {table.full_name} cannot live on adapter {adapter.name}: "
                + "; ".join(reasons)
            )
    if refusals:
        raise ConfigError("\n".join(refusals))
