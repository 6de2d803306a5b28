"""What a table file may say: the shape of its YAML, before tables are made of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from taulu.model.consistency import Level
from taulu.model.table import Kind, Limits
from taulu.model.value import INT64_MAX, INT64_MIN, ColumnType
from taulu.schema.columns import parse_type
from taulu.schema.quantities import parse_duration, parse_size

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
KEY_COLUMNS_MAX = 16
COLUMNS_MAX = 256
LOG_PARTITIONS_MAX = 1_024
STALENESS_US_MIN = 2_000_000
"""Below this, a channel that is alive could not be told from one that is lost."""
WARM_UP_ROWS_MAX = 1_000_000
_COUNT_MAX = 1_000_000_000

_DEFAULTS = Limits()


def _text_to_duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no duration; write one like '30s' or '90d'")  # noqa: TRY004 - pydantic takes ValueError
    return parse_duration(value)


def _text_to_size(value: object) -> object:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no size; write one like '64KiB'")  # noqa: TRY004 - pydantic takes ValueError
    return parse_size(value)


def _text_to_type(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no column type; write one like 'string'")  # noqa: TRY004 - pydantic takes ValueError
    return parse_type(value)


def _bare_type(value: object) -> object:
    """Let `name: string` stand for `name: {type: string}`."""
    return {"type": value} if isinstance(value, str) else value


def _bare_order(value: object) -> object:
    """Let `- claim_id` stand for `- {claim_id: asc}`."""
    return {value: "asc"} if isinstance(value, str) else value


def _bare_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _each_once(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise ValueError(f"name each once, not {', '.join(values)}")
    return values


Duration: TypeAlias = Annotated[int, BeforeValidator(_text_to_duration)]
"""In microseconds."""
Size: TypeAlias = Annotated[int, BeforeValidator(_text_to_size)]
"""In bytes."""
Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN)]
LevelName: TypeAlias = Literal["EVENTUAL", "BOUNDED_STALENESS", "SESSION", "QUORUM", "LINEARIZABLE"]
Count: TypeAlias = Annotated[int, Field(ge=1, le=_COUNT_MAX)]
Int64: TypeAlias = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True
    )


class MetadataPart(_Part):
    """Whose the table is."""

    namespace: Name = Field(description="The team whose table it is.")
    name: Name = Field(description="The table's name within the namespace.")
    owner: str = Field(default="", description="Who answers for it.")
    doc: str = Field(default="", description="What it holds, in a sentence.")


class KeyPart(_Part):
    """What finds a row."""

    partition: Annotated[list[Name], BeforeValidator(_bare_list)] = Field(
        min_length=1,
        max_length=KEY_COLUMNS_MAX,
        description="Columns that place the rows; rows with equal values stand together.",
    )
    clustering: list[
        Annotated[dict[Name, Literal["asc", "desc"]], BeforeValidator(_bare_order)]
    ] = Field(
        default=[],
        max_length=KEY_COLUMNS_MAX,
        description="Columns that order the rows of a partition: `name` or `{name: desc}`.",
    )


class ColumnPart(_Part):
    """One column."""

    type: Annotated[ColumnType, BeforeValidator(_text_to_type)] = Field(
        description="One of the column types."
    )
    doc: str = Field(default="", description="What it holds.")
    pii: str = Field(default="", description="How it bears on a person.")


class StoragePart(_Part):
    """Where the table lives."""

    adapter: str = Field(description="A storage target of the gateway's settings, by name.")
    options: dict[str, Any] = Field(
        default={},
        description="How the adapter keeps the table, in the backend's own words; see its page.",
    )


class ConsistencyPart(_Part):
    """The levels of calls that ask for none."""

    read: LevelName = Field(default="QUORUM", description="The level of reads.")
    write: LevelName = Field(default="QUORUM", description="The level of writes.")
    max_staleness: Duration | None = Field(
        default=None, description="The bound of BOUNDED_STALENESS reads that name none."
    )


class CachePart(_Part):
    """How rows may be cached."""

    tiers: Annotated[list[Literal["near", "shared"]], AfterValidator(_each_once)] = Field(
        min_length=1, description="Which caches hold rows: in the worker, or shared."
    )
    ttl: Duration = Field(description="How long a row may be served from a cache.")
    negative_ttl: Duration | None = Field(
        default=None, description="How long an absent row is remembered as absent."
    )
    staleness: Annotated[Duration, Field(ge=STALENESS_US_MIN)] = Field(
        default=5_000_000,
        description="How long an acknowledged write may stay unseen, whatever is lost; 2s or more.",
    )
    jitter: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        default=0.1, description="By up to what share each ttl is cut at random, 0.0 to 0.5."
    )
    write: Literal["invalidate", "through"] = Field(
        default="invalidate",
        description="Whether a write drops the row from caches, or also puts it in its worker's.",
    )
    columns: Annotated[list[Name], AfterValidator(_each_once)] = Field(
        default=[], description="Columns that may be cached; all when none is named."
    )
    queries: bool = Field(
        default=False, description="Whether first pages of queries are cached, besides rows."
    )
    serve_stale_on_error: bool = Field(
        default=False,
        description="Whether EVENTUAL reads get an old entry, marked, when the store fails.",
    )
    warm_up_rows: Annotated[int, Field(ge=0, le=WARM_UP_ROWS_MAX)] = Field(
        default=0, description="How many rows a worker reads into its cache when it starts."
    )


class LimitsPart(_Part):
    """What the table accepts."""

    row_bytes: Size = Field(default=_DEFAULTS.row_bytes, description="Bytes of one row.")
    batch_keys: Count = Field(default=_DEFAULTS.batch_keys, description="Keys of one read.")
    batch_units: Count = Field(
        default=_DEFAULTS.batch_units, description="Units, or records, of one write."
    )
    unit_mutations: Count = Field(
        default=_DEFAULTS.unit_mutations, description="Mutations of one unit."
    )
    page_rows: Count = Field(default=_DEFAULTS.page_rows, description="Rows of one page.")
    page_bytes: Size = Field(default=_DEFAULTS.page_bytes, description="Bytes of one page.")
    partition_rows: Count | None = Field(
        default=None, description="Rows of one partition of a `wide` table; unlimited by default."
    )


class BoundsPart(_Part):
    """Between what every counter stays, holds included."""

    floor: Int64 | None = Field(default=None, description="The lowest value.")
    ceiling: Int64 | None = Field(default=None, description="The highest value.")


class SpecPart(_Part):
    """What the table is."""

    kind: Literal["kv", "wide", "counter", "log"] = Field(description="What the table is for.")
    key: KeyPart = Field(description="What finds a row.")
    columns: dict[Name, Annotated[ColumnPart, BeforeValidator(_bare_type)]] = Field(
        max_length=COLUMNS_MAX,
        description="Every column, key columns included: `name: type`, or a mapping.",
    )
    storage: StoragePart = Field(
        default=StoragePart(adapter="embedded"), description="Where the table lives."
    )
    consistency: ConsistencyPart = Field(
        default=ConsistencyPart(), description="The levels of calls that ask for none."
    )
    cache: CachePart | None = Field(default=None, description="How rows may be cached.")
    ttl: Duration | None = Field(
        default=None, description="How long rows, or records of a log, are kept."
    )
    limits: LimitsPart = Field(default=LimitsPart(), description="What the table accepts.")
    bounds: BoundsPart | None = Field(
        default=None, description="For `counter` tables: between what every counter stays."
    )
    partitions: Annotated[int, Field(ge=1, le=LOG_PARTITIONS_MAX)] | None = Field(
        default=None, description="For `log` tables: how many partitions there are."
    )


class TableFile(_Part):
    """One YAML document that describes one table."""

    apiVersion: Literal["taulu/v1"] = Field(description="The version of this format.")  # noqa: N815 - as Kubernetes spells it
    kind: Literal["Table"] = Field(description="What the document describes.")
    metadata: MetadataPart = Field(description="Whose the table is.")
    spec: SpecPart = Field(description="What the table is.")


KINDS = {kind.value: kind for kind in Kind}
LEVELS = {level.name: level for level in Level}
