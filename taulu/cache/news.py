"""What is done before a write is acknowledged: drop the copies, and tell the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taulu.cache.channel import Channel
from taulu.cache.near import Place
from taulu.cache.room import CacheRoom
from taulu.cache.shared import Shared
from taulu.model.errors import Unavailable


@dataclass(frozen=True, slots=True)
class News:
    """The way of one table's writes to all who hold copies."""

    table: str
    room: CacheRoom
    shared: Shared | None
    """The shared tier, where the table uses it."""
    channel: Channel | None
    """Where others hear of the table's writes; None when there are no others, or no way."""
    is_trusted_beyond_bound: bool
    """Whether others may serve entries past the table's bound on the strength of the channel."""

    def check(self) -> None:
        """Refuse a write that others could not be told of in time.

        Raises:
            Unavailable: See `Channel.check_not_cut_off`.
        """
        if self.channel is not None and self.is_trusted_beyond_bound:
            self.channel.check_not_cut_off(self.table)

    async def drop_shared(self, places: Sequence[Place]) -> None:
        """Drop the copies of the shared tier, before any of those that are filled from it."""
        if self.shared is None:
            return
        try:
            await self.shared.drop(places)
        except Unavailable:
            if self.channel is not None:
                self.channel.lose()
            else:
                self.room.doubt()

    async def tell(self, places: Sequence[Place]) -> None:
        """Tell the others."""
        if self.channel is not None:
            await self.channel.announce(self.table, [place.key for place in places])
