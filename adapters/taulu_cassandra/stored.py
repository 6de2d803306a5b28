"""A prepared table: its layout, and its statements as the cluster has compiled them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from taulu_cassandra._driver import Bound, CqlValue, Prepared, Session
from taulu_cassandra.calls import Call, Calls
from taulu_cassandra.layout import Layout
from taulu_cassandra.mapping import DRIVER_ERRORS, read_error

PREPARED_MAX = 512
"""How many texts of one table are kept compiled; ranges and updates have a few shapes each."""


@dataclass(slots=True)
class StoredTable:
    """One table as the adapter's calls need it."""

    layout: Layout
    session: Session
    calls: Calls
    window_s: int
    """How long idempotency tokens are kept, in seconds."""
    margin_s: int
    """How long after its expiry a row is dropped by Cassandra itself, in seconds."""
    _prepared: dict[str, Prepared] = field(default_factory=dict[str, Prepared])

    @property
    def name(self) -> str:
        """The table's full name, as services know it."""
        return self.layout.table.full_name

    def call(self, deadline: float) -> Call:
        """Return what requests are told of the call that they serve."""
        return Call(self.name, deadline)

    def prepare_now(self, *texts: str) -> None:
        """Have statements compiled; it blocks."""
        for text in texts:
            self._prepared[text] = self.session.prepare(text)

    async def bind(self, text: str, *values: CqlValue) -> Bound:
        """Return a statement with its values; one that is new is compiled first.

        Raises:
            Unavailable: No node can compile it.
        """
        prepared = self._prepared.get(text)
        if prepared is None:
            try:
                prepared = await asyncio.to_thread(self.session.prepare, text)
            except DRIVER_ERRORS as error:
                raise read_error(error, self.name) from error
            if len(self._prepared) < PREPARED_MAX:
                self._prepared[text] = prepared
        return Bound(prepared, values)

    def native_ttl_s(self, expire_us: int | None) -> int:
        """Return after how many seconds Cassandra may drop a cell; 0 is never."""
        if expire_us is None:
            return 0
        left_s = (expire_us - self.calls.clock.now_us()) // 1_000_000 + 1
        ttl_s = max(left_s, 0) + self.margin_s + 1
        return ttl_s if ttl_s <= NATIVE_TTL_S_MAX else 0


NATIVE_TTL_S_MAX = 20 * 365 * 24 * 3600
"""Cassandra's own limit; what lives longer is dropped by nobody, and absent all the same."""
