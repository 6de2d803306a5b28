"""Keys, rows and stretches of a partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taulu.model.value import KeyValue, Value

Partition = tuple[KeyValue, ...]
"""All partition key values, in declared order."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key of one row: values in the order in which the table declares its key columns."""

    partition: Partition
    clustering: tuple[KeyValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read."""

    key: Key
    columns: Mapping[str, Value]
    """Columns that are set, key columns excluded."""
    version: int
    """Hybrid logical time of the write that made the row, in microseconds."""
    expire_us: int | None = None
    """When the row expires, in microseconds since 1970; None when it does not."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a clustering range: a prefix of the clustering columns."""

    prefix: tuple[KeyValue, ...]
    exclusive: bool = False
    """Whether rows that begin with `prefix` are outside."""


@dataclass(frozen=True, slots=True)
class ClusteringRange:
    """A stretch of a partition, in declared clustering order; None is unbounded."""

    start: Bound | None = None
    end: Bound | None = None


WHOLE_PARTITION = ClusteringRange()
