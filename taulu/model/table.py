"""Tables as the gateway and the adapters see them: parsed, checked, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from taulu.model.consistency import Level
from taulu.model.value import ColumnType

TTL_US_MAX = 36_500 * 86_400 * 1_000_000
"""The longest time to live, 100 years: every expiry is then a time that a timestamp can tell."""


class Kind(Enum):
    """What a table is for; it decides the operations that the table takes."""

    KV = "kv"
    WIDE = "wide"
    COUNTER = "counter"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: ColumnType
    doc: str = ""
    pii: str = ""
    """How the column bears on a person, in the table owner's words; empty for not at all."""


@dataclass(frozen=True, slots=True)
class ClusteringColumn:
    """One column that orders the rows of a partition."""

    column: Column
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What one table accepts; past a limit comes an error that names it."""

    row_bytes: int = 64 * 1024
    batch_keys: int = 500
    batch_units: int = 500
    unit_mutations: int = 100
    page_rows: int = 1_000
    page_bytes: int = 1024 * 1024
    partition_rows: int | None = None
    """None lets partitions grow without limit."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a counter's value, holds included."""

    floor: int | None = None
    ceiling: int | None = None


NO_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How a table's rows may be cached. Durations are in microseconds."""

    tiers: tuple[str, ...]
    """`near`, `shared` or both."""
    ttl_us: int
    """How long an entry may be served at most, from the begin of its read of the store."""
    negative_ttl_us: int = 0
    """The same for what is absent; 0 means that absence is not remembered."""
    staleness_us: int = 5_000_000
    """How long an acknowledged write may stay unseen by any reader, whatever is lost."""
    jitter: float = 0.1
    """By up to what share each time to live is cut, at random, so that they do not end at once."""
    is_write_through: bool = False
    """Whether a row that is written whole goes to the near cache of its writer."""
    columns: tuple[str, ...] = ()
    """Columns that may be cached; empty means all."""
    has_queries: bool = False
    """Whether first pages of queries are cached, besides rows."""
    serve_stale_on_error: bool = False
    """Whether EVENTUAL readers get an old entry, marked as such, when the store fails."""
    warm_up_rows: int = 0
    """How many rows a worker reads into its near cache when it starts."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what it holds, where it lives, and what it promises."""

    namespace: str
    name: str
    kind: Kind
    partition_key: tuple[Column, ...]
    clustering_key: tuple[ClusteringColumn, ...] = ()
    columns: tuple[Column, ...] = ()
    """Columns outside the key, by name."""
    storage: str = "embedded"
    """The target in the gateway's settings that holds the table."""
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    """How the adapter is to keep the table, in the backend's own words; it checks them itself."""
    read_level: Level = Level.QUORUM
    write_level: Level = Level.QUORUM
    staleness_us_max: int | None = None
    """The bound of BOUNDED_STALENESS reads that name none."""
    ttl_us: int | None = None
    """How long rows, or log records, are kept; None is for ever."""
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=Bounds)
    """For `counter` tables: limits of every counter."""
    log_partitions: int = 0
    """For `log` tables: how many partitions there are."""
    cache: CachePolicy | None = None
    owner: str = ""
    doc: str = ""

    @property
    def full_name(self) -> str:
        """The name that services use: `namespace.table`."""
        return f"{self.namespace}.{self.name}"
