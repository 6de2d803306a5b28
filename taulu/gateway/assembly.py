"""The pipeline of one table, put together once, at load."""

from __future__ import annotations

from dataclasses import dataclass

from taulu.cache import CacheRoom
from taulu.gateway.caches import CachedPipeline, make_caching
from taulu.model.clock import Clock
from taulu.model.table import Table
from taulu.policy.admission import Admission, Gate
from taulu.policy.batch_limits import BatchLimits
from taulu.policy.consistency import ConsistencyLevels
from taulu.policy.deadline import Deadline
from taulu.policy.idempotency import Idempotency
from taulu.policy.paging import Paging
from taulu.policy.row_bytes import RowBytes
from taulu.policy.screen import Screen
from taulu.policy.support import Support
from taulu.policy.values import Values
from taulu.spi.adapter import Adapter
from taulu.spi.context import Handler


@dataclass(frozen=True, slots=True)
class Shared:
    """What the pipelines of all tables of one worker have in common."""

    clock: Clock
    gate: Gate
    token_window_us: int
    room: CacheRoom | None = None
    """Where tables are cached; None when none is."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The rules of one table, outermost first, and its cache."""

    handler: Handler
    cached: CachedPipeline | None


def assemble(table: Table, adapter: Adapter, shared: Shared) -> Pipeline:
    """Return the pipeline of a table; read it from the adapter outwards.

    The cheapest refusals stand outermost. Support stands outside the rules that rewrite the
    operation, so that what a table cannot do is refused before its values are looked at. The
    cache stands inside all of them: what it answers has passed every check.
    """
    clock = shared.clock
    handler: Handler = adapter.execute
    handler = Paging(handler)
    cached: CachedPipeline | None = None
    if table.cache is not None and shared.room is not None:
        cached = make_caching(table, table.cache, adapter, shared.room, handler)
        handler = cached.caching
    handler = ConsistencyLevels(handler, table)
    checks = (Idempotency(clock, shared.token_window_us), Values(table), RowBytes(table))
    handler = Screen(handler, table, checks, clock)
    handler = BatchLimits(handler, table)
    handler = Support(handler, table, adapter.capabilities_of(table))
    handler = Admission(handler, shared.gate)
    return Pipeline(Deadline(handler, clock), cached)
