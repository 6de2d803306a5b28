"""What several mutations of one partition come to, as one write of each row.

All cells of one batch have one timestamp, and at equal timestamps Cassandra lets a deletion win
over a value, whatever their order in the batch. So the order is worked out here: each row is
written or deleted once, and a range that is deleted leaves out the rows that are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from taulu.codec import KeyCodec
from taulu.model import (
    ClusteringRange,
    Delete,
    DeleteRange,
    Mutation,
    Put,
    Update,
    Value,
)
from taulu_cassandra.layout import Clustering
from taulu_cassandra.slices import is_empty, is_inside, without


@dataclass(frozen=True, slots=True)
class WholeRow:
    """The row is these columns and nothing else."""

    columns: Mapping[str, Value]
    ttl_us: int | None


@dataclass(frozen=True, slots=True)
class SomeColumns:
    """These columns change; None clears one, and the others stay as they are."""

    columns: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class NoRow:
    """The row is deleted."""


Change: TypeAlias = WholeRow | SomeColumns | NoRow


@dataclass(slots=True)
class PlainFold:
    """The mutations of one unit on a plain table, of which nothing is read before."""

    keys: KeyCodec
    changes: dict[Clustering, Change] = field(default_factory=dict[Clustering, Change])
    ranges: list[ClusteringRange] = field(default_factory=list[ClusteringRange])

    def add(self, mutation: Mutation) -> None:
        """Take a mutation after those before it."""
        match mutation:
            case Put(key=key, columns=columns, ttl_us=ttl_us):
                self.changes[key.clustering] = WholeRow(columns, ttl_us)
            case Update(key=key, columns=columns):
                self.changes[key.clustering] = self._updated(key.clustering, columns)
            case Delete(key=key):
                self.changes[key.clustering] = NoRow()
            case DeleteRange(range=wanted):
                if is_empty(self.keys, wanted):
                    return
                for clustering in list(self.changes):
                    if is_inside(self.keys, clustering, wanted):
                        del self.changes[clustering]
                self.ranges.append(wanted)

    def _updated(self, clustering: Clustering, columns: Mapping[str, Value]) -> Change:
        before = self.changes.get(clustering)
        match before:
            case WholeRow(columns=present, ttl_us=ttl_us):
                return WholeRow({**present, **columns}, ttl_us)
            case SomeColumns(columns=changed):
                return SomeColumns({**changed, **columns})
            case NoRow():
                return WholeRow(columns, None)
            case None:
                if any(is_inside(self.keys, clustering, wanted) for wanted in self.ranges):
                    return WholeRow(columns, None)
                return SomeColumns(columns)

    def deleted(self) -> list[ClusteringRange]:
        """Return the ranges to delete, cut at every row that is written after them."""
        return cut_ranges(self.keys, self.ranges, list(self.changes))


def cut_ranges(
    keys: KeyCodec, ranges: list[ClusteringRange], written: list[Clustering]
) -> list[ClusteringRange]:
    """Return ranges without the rows that are written in the same batch."""
    return [part for wanted in ranges for part in without(keys, wanted, written)]
