"""What an adapter can do, declared once and checked everywhere from that one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from taulu.model.consistency import Level
from taulu.model.table import Kind


class Feature(Enum):
    """One thing that an adapter can or cannot do, besides the kinds it serves."""

    CONDITIONS = "conditions"
    """Conditions of a write, checked in the same atomic step."""
    PARTIAL_UPDATE = "partial_update"
    DELETE_RANGE = "delete_range"
    REVERSE_QUERY = "reverse_query"
    SCAN = "scan"
    ROW_TTL = "row_ttl"
    """Rows that expire by themselves, by table or by mutation."""
    TRANSACTIONS = "transactions"
    """Units that cross partitions of one table."""
    HOLDS = "holds"
    """Reserve, commit and release on counters."""
    READ_FROM_TIME = "read_from_time"
    """Log reads that begin at a time."""
    RETENTION = "retention"
    """Log records that are purged after the table's time to live."""
    WRITE_ORDER = "write_order"
    """Every acknowledged write of a row stands above those acknowledged before it, whatever
    the clocks say, and a token that names another effect is found out. Without it the time in
    a write's token is its place in the order: a client whose clock is behind loses against
    one that is ahead, and only a token that is sent again unchanged has the effect of one.

    No request asks for it: a table does, by writing at LINEARIZABLE."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """All that an adapter promises to be able to do."""

    kinds: frozenset[Kind]
    features: frozenset[Feature]
    read_levels: frozenset[Level]
    write_levels: frozenset[Level]

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the names of what a table of this kind can do, sorted.

        Features that do not bear on the kind are left out.
        """
        return tuple(sorted(f.value for f in self.features & FEATURES_BY_KIND[kind]))


_ROW_FEATURES = frozenset(
    {
        Feature.CONDITIONS,
        Feature.PARTIAL_UPDATE,
        Feature.SCAN,
        Feature.ROW_TTL,
        Feature.TRANSACTIONS,
        Feature.WRITE_ORDER,
    }
)

FEATURES_BY_KIND = {
    Kind.KV: _ROW_FEATURES,
    Kind.WIDE: _ROW_FEATURES | {Feature.DELETE_RANGE, Feature.REVERSE_QUERY},
    Kind.COUNTER: frozenset({Feature.HOLDS}),
    Kind.LOG: frozenset({Feature.READ_FROM_TIME, Feature.RETENTION}),
}
"""The features that bear on each kind of table."""
