"""The rows that a batch touches, as they are after the units decided so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from taulu.codec import stretch_of
from taulu.model import ClusteringRange, Corrupt, Key, Partition, Value
from taulu_postgres.stored import StoredTable

Range = tuple[Partition, ClusteringRange]


@dataclass(frozen=True, slots=True)
class RowState:
    """One row that is in the table, expired or not."""

    version: int
    expire_us: int | None
    columns: Mapping[str, Value] | Corrupt
    """What makes them unreadable, when they are: that concerns only those who need them."""
    is_whole: bool = False
    """Whether the batch wrote the row, so that columns it does not know are to be cleared."""

    def readable(self) -> Mapping[str, Value]:
        """Return the columns.

        Raises:
            Corrupt: They cannot be read.
        """
        if isinstance(self.columns, Corrupt):
            raise self.columns
        return self.columns


@dataclass(slots=True)
class Draft:
    """What was read for a batch, and what its units have changed so far.

    Every key that a unit names is in `rows`, absent ones as None; what a range of keys
    holds besides them is known by its highest version alone, unless the table limits rows.
    """

    stored: StoredTable
    now_us: int
    rows: dict[Key, RowState | None]
    floors: dict[int, int]
    """By slot: no version here may be given out again."""
    range_versions: dict[Range, int]
    counts: dict[Partition, int] = field(default_factory=dict["Partition", int])
    """Live rows per partition, where the table limits them."""
    changed: dict[Key, RowState | None] = field(default_factory=dict["Key", "RowState | None"])
    ranges: list[Range] = field(default_factory=list["Range"])
    """Deleted, in order. They go first: rows that a unit put back are among `changed`."""
    slots_deleted: set[int] = field(default_factory=set[int])
    version: int = 0
    """The highest one that a unit of the batch was given."""

    def is_live(self, state: RowState | None) -> bool:
        """Return whether a row is there for readers."""
        if state is None:
            return False
        return state.expire_us is None or state.expire_us > self.now_us

    def known_in(self, deleted: Range) -> list[Key]:
        """Return the known keys that lie in a range."""
        partition, span = deleted
        stretch = stretch_of(self.stored.keys, span)
        encode = self.stored.keys.clustering
        return [
            key
            for key in self.rows
            if key.partition == partition and stretch.has(encode(key.clustering))
        ]


@dataclass(slots=True)
class UnitDraft:
    """What one unit changes, before it is sure that all of it may be."""

    draft: Draft
    version: int
    changed: dict[Key, RowState | None] = field(default_factory=dict["Key", "RowState | None"])
    ranges: list[Range] = field(default_factory=list["Range"])
    slots_deleted: set[int] = field(default_factory=set[int])

    def state(self, key: Key) -> RowState | None:
        """Return a row as it is after the mutations so far."""
        return self.changed[key] if key in self.changed else self.draft.rows[key]

    def put(self, key: Key, columns: Mapping[str, Value], expire_us: int | None) -> None:
        """Replace a row."""
        held = {name: value for name, value in columns.items() if value is not None}
        self.changed[key] = RowState(self.version, expire_us, held, is_whole=True)

    def update(self, key: Key, columns: Mapping[str, Value], expire_us: int | None) -> None:
        """Lay columns over a row that is there."""
        state = self.state(key)
        assert state is not None  # noqa: S101 - the caller has looked
        merged = {**state.readable(), **columns}
        held = {name: value for name, value in merged.items() if value is not None}
        self.changed[key] = replace(state, version=self.version, expire_us=expire_us, columns=held)

    def delete(self, key: Key) -> None:
        """Remove a row, if it is there."""
        self.changed[key] = None
        self.slots_deleted.add(self.draft.stored.slot(key.partition))

    def delete_range(self, deleted: Range) -> None:
        """Remove the rows of a range that can hold any."""
        if deleted in self.draft.range_versions:
            self.ranges.append(deleted)
        for key in self.draft.known_in(deleted):
            self.changed[key] = None
        self.slots_deleted.add(self.draft.stored.slot(deleted[0]))

    def growth(self, partition: Partition) -> int:
        """Return how many live rows the unit adds to a partition."""
        live = self.draft.is_live
        return sum(
            live(state) - live(self.draft.rows[key])
            for key, state in self.changed.items()
            if key.partition == partition
        )

    def keep(self) -> None:
        """Make the unit's changes those of the batch."""
        draft = self.draft
        for partition in draft.counts:
            draft.counts[partition] += self.growth(partition)
        draft.rows.update(self.changed)
        draft.changed.update(self.changed)
        draft.ranges += self.ranges
        draft.slots_deleted |= self.slots_deleted
        draft.version = max(draft.version, self.version)
        for slot in self.slots_deleted:
            draft.floors[slot] = max(draft.floors[slot], self.version)


def versions_below(draft: Draft, slots: Iterable[int], keys: Iterable[Key]) -> list[int]:
    """Return the versions that a write of these keys must stand above."""
    held = (draft.rows[key] for key in keys)
    return [*(draft.floors[slot] for slot in slots), *(s.version for s in held if s is not None)]
