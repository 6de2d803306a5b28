"""The tables of the gateway, looked up once and kept for a while."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from taulu_client.shape import Shape
from taulu_client.table_info import TableInfo


@dataclass(slots=True)
class Catalog:
    """Tables by name, fetched when they are first needed and again when old."""

    fetch: Callable[[str], Awaitable[TableInfo]]
    keep_s: float
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Shape]] = field(default_factory=dict[str, tuple[float, Shape]])

    async def shape(self, name: str) -> Shape:
        """Return a table's shape.

        Raises:
            UnknownTable: The gateway serves no such table.
        """
        known = self._known.get(name)
        if known is not None and self.monotonic() - known[0] < self.keep_s:
            return known[1]
        shape = Shape(await self.fetch(name))
        self._known[name] = (self.monotonic(), shape)
        return shape
