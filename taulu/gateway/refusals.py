"""What keeps tables from being served by their storage, as far as no backend need be asked.

`taulu serve`, `taulu doctor` and `taulu schema check` all ask here, so that they say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from taulu.gateway.caches import cache_refusals, shared_target
from taulu.gateway.options import GatewayOptions
from taulu.model.table import Table
from taulu.spi.adapter import Adapter


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason for which a server with these tables does not start."""

    of: str
    """A table's full name; empty when the settings are at fault."""
    what: str
    mend: str
    """What to do about it, in a few words."""


def load_refusals(
    tables: Sequence[Table], options: GatewayOptions, adapters: Mapping[str, Adapter]
) -> list[Refusal]:
    """Return why these tables cannot be loaded on this storage; empty when they can. No I/O.

    Args:
        tables: All tables of the server.
        options: What the settings say.
        adapters: By name of their storage target, opened or not; one that is lacking could not
            be made, and so its tables are not checked.
    """
    found = [_of_table(table, options, adapters) for table in tables]
    return [refusal for refusal in found if refusal] + list(_of_tier(tables, options, adapters))


def _of_table(
    table: Table, options: GatewayOptions, adapters: Mapping[str, Adapter]
) -> Refusal | None:
    name, storage = table.full_name, table.storage
    if storage not in options.storage:
        what = _not_set(f"table {name}", storage, options)
        return Refusal(name, what, "name it under `storage` in the settings")
    adapter = adapters.get(storage)
    if adapter is None:
        what = f"table {name} cannot be checked: storage {storage!r} is wrong"
        return Refusal(name, what, "mend that storage")
    reasons = adapter.refusals(table)
    reasons += cache_refusals(table, adapter, has_shared=bool(options.cache.shared))
    if not reasons:
        return None
    what = f"table {name} cannot live on adapter {adapter.name}: {'; '.join(reasons)}"
    return Refusal(name, what, "change the table, its storage, or the settings")


def _of_tier(
    tables: Sequence[Table], options: GatewayOptions, adapters: Mapping[str, Adapter]
) -> Iterator[Refusal]:
    name = shared_target(options.cache, tables)
    if not name:
        return
    if name not in options.storage:
        what = _not_set("`cache.shared`", name, options)
        yield Refusal("", what, "name it under `storage` in the settings")
    elif name not in adapters:
        what = f"`cache.shared` cannot be checked: storage {name!r} is wrong"
        yield Refusal("", what, "mend that storage")
    elif adapters[name].shared_cache() is None:
        what = (
            f"`cache.shared` names storage {name!r}, but adapter {adapters[name].name!r} cannot "
            "be a shared cache; name a target whose adapter can, such as redis"
        )
        yield Refusal("", what, "mend `cache.shared` in the settings")


def _not_set(who: str, name: str, options: GatewayOptions) -> str:
    known = ", ".join(sorted(options.storage)) or "none"
    return f"{who} names storage {name!r}, which the settings do not have; they have: {known}"
