"""A worker that starts reads the first rows of a table into its near cache."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from taulu.cache.loads import Loads
from taulu.cache.near import Place
from taulu.codec import KeyCodec
from taulu.model.consistency import Consistency, Level
from taulu.model.errors import TauluError
from taulu.model.operation import Page, ScanRows
from taulu.model.table import Table
from taulu.spi.context import Context, Handler

_log = logging.getLogger(__name__)

PAGE_ROWS = 200
PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Reads up to a number of rows of one table, in the store's own order, page by page."""

    next: Handler
    table: Table
    loads: Loads
    keys: KeyCodec

    async def run(self) -> None:
        """Fill the near cache; a store that fails leaves it as it is."""
        left = self.loads.policy.warm_up_rows
        token = ""
        try:
            while left > 0:
                token, count = await self._page(min(left, PAGE_ROWS), token)
                left -= count
                if not token:
                    break
        except TauluError as error:
            _log.warning("%s was not warmed up: %s", self.table.full_name, error)

    async def _page(self, rows_max: int, token: str) -> tuple[str, int]:
        room, policy = self.loads.room, self.loads.policy
        context = Context(
            room.clock.monotonic() + room.options.load_timeout_s, caller="cache warm-up"
        )
        written: set[Place] = set()
        room.flights.overhearing.append(written)
        try:
            began_s, as_of_us = room.clock.monotonic(), room.clock.now_us()
            page = await self.next(
                ScanRows(
                    self.table.full_name,
                    Page(rows_max, PAGE_BYTES, token=token),
                    columns=policy.columns,
                    consistency=Consistency(Level.QUORUM),
                ),
                context,
            )
            for row in page.rows:
                place = Place(self.table.full_name, self.keys.partition(row.key.partition))
                # What was written while the page was read may be newer than the page.
                if place not in written:
                    entry = self.loads.entry(row, began_s, as_of_us)
                    room.near.put(place, self.keys.clustering(row.key.clustering), entry)
        finally:
            # By identity: another table's warm-up may have heard just the same.
            room.flights.overhearing = [
                heard for heard in room.flights.overhearing if heard is not written
            ]
        return page.next_token, len(page.rows)
