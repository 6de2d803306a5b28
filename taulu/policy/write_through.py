"""What was just written whole goes to the near cache, unless another write came between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from taulu.cache.entry import Entry
from taulu.cache.flights import Flight
from taulu.cache.loads import Loads
from taulu.cache.near import Place
from taulu.codec import KeyCodec
from taulu.model.operation import Put, WriteUnit
from taulu.model.result import WriteResults, Written
from taulu.model.row import Row
from taulu.model.table import Table
from taulu.spi.requirements import partitions_of

_TICKET = b"!"
"""The variant of a ticket, which no reader asks for."""

Filled = tuple[Place, bytes, Entry]


@dataclass(slots=True)
class Ticket:
    """The writes of one call that may fill the cache, from before the store has them."""

    through: WriteThrough
    puts: list[tuple[int, Put, Flight]]
    """Each with the place of its unit in the call."""
    began_s: float
    as_of_us: int

    def cancel(self) -> None:
        """Let go, without filling anything."""
        for _, _, flight in self.puts:
            self.through.loads.room.flights.end_write(flight)

    def end(self, result: WriteResults | None) -> list[Filled]:
        """Return the entries of the rows that were written, and that no other write overtook.

        A unit that was sent before has written nothing now: its rows may be other ones since.
        """
        filled: list[Filled] = []
        for at, put, flight in self.puts:
            is_alone = self.through.loads.room.flights.end_write(flight)
            outcome = None if result is None else result.outcomes[at]
            if is_alone and isinstance(outcome, Written) and outcome.is_first:
                filled.append(self.through.filled(put, outcome.version, flight.place, self))
        return filled


@dataclass(frozen=True, slots=True)
class WriteThrough:
    """Makes entries of what one table's writers put."""

    table: Table
    loads: Loads
    keys: KeyCodec

    def begin(self, units: Sequence[WriteUnit]) -> Ticket:
        """Note that units are about to be written: any write of their places from now on counts.

        Only a unit that puts one row whole, to be kept for ever, says what the row then is, and
        only if no other unit of the call touches its partition.
        """
        room = self.loads.room
        now_s = room.clock.monotonic()
        puts: list[tuple[int, Put, Flight]] = []
        touched = Counter(partition for unit in units for partition in partitions_of(unit))
        for at, unit in enumerate(units):
            put = unit.mutations[0] if len(unit.mutations) == 1 else None
            if not isinstance(put, Put) or put.ttl_us is not None or self.table.ttl_us is not None:
                continue
            if touched[put.key.partition] > 1:
                # The units of a call are independent: any may be the last.
                continue
            place = Place(self.table.full_name, self.keys.partition(put.key.partition))
            puts.append((at, put, room.flights.begin(place, _TICKET, now_s)))
        return Ticket(self, puts, now_s, room.clock.now_us())

    def filled(self, put: Put, version: int, place: Place, ticket: Ticket) -> Filled:
        """Return the entry of a row that was put, and where it belongs."""
        wanted = self.loads.policy.columns
        columns = {
            name: value
            for name, value in put.columns.items()
            if value is not None and (not wanted or name in wanted)
        }
        entry = self.loads.entry(Row(put.key, columns, version), ticket.began_s, ticket.as_of_us)
        return place, self.keys.clustering(put.key.clustering), entry
