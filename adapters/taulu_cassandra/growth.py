"""How many rows partitions hold, where a table limits them.

Counting costs a read of all keys of the partition, so an upper bound is kept that every write
raises by the rows it may add; only when the bound reaches the limit are rows counted again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from taulu.model import DeleteRange, LimitExceeded, Mutation, Partition, Put, Table, Update
from taulu_cassandra import statements
from taulu_cassandra.layout import Clustering
from taulu_cassandra.reading import Reading
from taulu_cassandra.slices import is_inside
from taulu_cassandra.stored import StoredTable

_KEPT_MAX = 10_000
"""Of how many partitions a process remembers the bound."""


async def live_rows(reading: Reading, partition: Partition, limit: int) -> set[Clustering]:
    """Return the keys of the live rows of a partition.

    It reads up to twice the limit, so that rows which have expired do not hide those that live.
    """
    layout = reading.stored.layout
    values = (*layout.partition_values(partition), limit * 2 + 1)
    bound = await reading.stored.bind(statements.select_live(layout), *values)
    found: set[Clustering] = set()
    for *clustering, version, expire_us in await reading.stored.calls.read(
        bound, reading.level, reading.call
    ):
        expired = expire_us is not None and expire_us <= reading.now_us
        if version is not None and not expired:
            found.add(layout.read_clustering(tuple(clustering)))
    return found


def rows_added_max(mutations: tuple[Mutation, ...]) -> int:
    """Return how many rows a unit may add."""
    return len({m.key.clustering for m in mutations if isinstance(m, Put | Update)})


def check_growth(
    stored: StoredTable, before: set[Clustering], mutations: tuple[Mutation, ...]
) -> set[Clustering]:
    """Return the keys of the live rows after a unit.

    Raises:
        LimitExceeded: The unit adds rows and leaves more than the table allows.
    """
    table: Table = stored.layout.table
    after = set(before)
    for mutation in mutations:
        match mutation:
            case Put(key=key) | Update(key=key):
                after.add(key.clustering)
            case DeleteRange(range=wanted):
                after = {row for row in after if not is_inside(stored.layout.keys, row, wanted)}
            case _:
                after.discard(mutation.key.clustering)
    limit = table.limits.partition_rows
    if limit is not None and len(after) > limit and after - before:
        raise LimitExceeded(
            f"the write would leave {len(after)} rows in one partition of {table.full_name}, "
            f"above limits.partition_rows of {limit}; delete rows first, or spread them over "
            "more partitions",
            details={"limit": "partition_rows", "value": str(limit)},
        )
    return after


@dataclass(slots=True)
class Growth:
    """The bounds of the partitions that this process wrote to lately."""

    _bounds: OrderedDict[tuple[str, Partition], int] = field(
        default_factory=OrderedDict[tuple[str, Partition], int]
    )

    def room(self, stored: StoredTable, partition: Partition, added: int) -> bool:
        """Take room for rows; return False when the partition must be counted first."""
        place = (stored.name, partition)
        limit = stored.layout.table.limits.partition_rows
        bound = self._bounds.get(place)
        if limit is None:
            return True
        if bound is None or bound + added > limit:
            return False
        self._bounds[place] = bound + added
        return True

    def counted(self, stored: StoredTable, partition: Partition, rows: int) -> None:
        """Remember how many rows a partition holds now."""
        self._bounds[stored.name, partition] = rows
        self._bounds.move_to_end((stored.name, partition))
        while len(self._bounds) > _KEPT_MAX:
            self._bounds.popitem(last=False)
