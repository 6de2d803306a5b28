"""The CREATE statements of every kind of table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from taulu.model import Kind, Table, TypeName
from taulu_cassandra.layout import (
    AMOUNT,
    BUCKET,
    EXPIRE,
    HEADS_SUFFIX,
    HOLD,
    LAST,
    NEXT,
    OFFSET,
    PARTITION,
    PENDING,
    ROWS,
    SEQ,
    TIME,
    TOKENS_SUFFIX,
    VALUE,
    VERSION,
    Field,
    Layout,
    quoted,
)

KEPT_TOKENS = "frozen<list<frozen<tuple<text, blob, frozen<list<bigint>>>>>>"
"""Nonce, fingerprint and result of each token of a step."""
PENDING_RECORDS = "frozen<list<frozen<tuple<bigint, bigint, blob, blob>>>>"
"""Offset, time, key and columns of each record of a step."""
NONCE = "_nonce"
FINGERPRINT = "_fingerprint"
RESULT = "_result"

_HOUR_US = 3_600_000_000
_WINDOWS = 30
"""Into about how many windows a time series is cut over its time to live."""
_TOKENS_GRACE_S = 3 * 3600
"""As long as hints are kept: tokens are never deleted, they only expire."""


def create_keyspace(layout: Layout, replication: Mapping[str, int]) -> str:
    """Return the statement that makes the keyspace, if it is not there."""
    copies = ", ".join(f"'{name}': {count}" for name, count in sorted(replication.items()))
    return (
        f"CREATE KEYSPACE IF NOT EXISTS {quoted(layout.keyspace)} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', {copies}}} AND durable_writes = true"
    )


def _same(value: Any) -> Any:  # noqa: ANN401 - as the driver has it
    return value


def create_tables(layout: Layout, comment: str) -> list[str]:
    """Return the statements that make a table and its companions, if they are not there."""
    match layout.table.kind:
        case Kind.COUNTER:
            return [_create_counters(layout, comment), _create_tokens(layout, layout.partition)]
        case Kind.LOG:
            return [
                _create_heads(layout),
                _create_tokens(layout, (Field(PARTITION, "int", _same, _same),)),
                _create_records(layout, comment),
            ]
        case _:
            rows = _create_rows(layout, comment)
            return [_create_tokens(layout, layout.partition), rows] if layout.is_serial else [rows]


def _create_rows(layout: Layout, comment: str) -> str:
    static = " static" if layout.clustering else ""
    columns = [f"{quoted(f.name)} {f.native}" for f in (*_key(layout), *layout.columns)]
    columns += [f"{quoted(VERSION)} bigint", f"{quoted(EXPIRE)} bigint"]
    if layout.is_serial:
        columns += [f"{quoted(SEQ)} bigint{static}", f"{quoted(LAST)} {KEPT_TOKENS}{static}"]
    if layout.is_serial and layout.clustering:
        columns += [f"{quoted(ROWS)} bigint{static}"]
    key = f"({_names(layout.partition)})"
    if layout.clustering:
        key += f", {_names(layout.clustering)}"
    return _create(layout.name, columns, key, _order(layout) + _with(layout, comment))


def _create_tokens(layout: Layout, partition: tuple[Field, ...]) -> str:
    columns = [f"{quoted(f.name)} {f.native}" for f in partition]
    columns += [f"{quoted(NONCE)} text", f"{quoted(FINGERPRINT)} blob"]
    columns += [f"{quoted(RESULT)} frozen<list<bigint>>"]
    key = f"({_names(partition)}, {quoted(NONCE)})"
    compaction = {
        "class": "TimeWindowCompactionStrategy",
        "compaction_window_unit": "HOURS",
        "compaction_window_size": 1,
    }
    options = [
        f"compaction = {_map(compaction)}",
        f"gc_grace_seconds = {_TOKENS_GRACE_S}",
        f"comment = {_text(f'Taulu: idempotency tokens of {layout.table.full_name}')}",
    ]
    return _create(layout.companion(TOKENS_SUFFIX), columns, key, options)


def _create_counters(layout: Layout, comment: str) -> str:
    columns = [f"{quoted(f.name)} {f.native}" for f in _key(layout)]
    columns += [
        f"{quoted(HOLD)} text",
        f"{quoted(AMOUNT)} bigint",
        f"{quoted(EXPIRE)} bigint",
        f"{quoted(VALUE)} bigint static",
        f"{quoted(SEQ)} bigint static",
        f"{quoted(LAST)} {KEPT_TOKENS} static",
    ]
    key = f"({_names(_key(layout))}), {quoted(HOLD)}"
    return _create(layout.name, columns, key, _with(layout, comment))


def _create_heads(layout: Layout) -> str:
    columns = [
        f"{quoted(PARTITION)} int",
        f"{quoted(NEXT)} bigint",
        f"{quoted(TIME)} bigint",
        f"{quoted(SEQ)} bigint",
        f"{quoted(LAST)} {KEPT_TOKENS}",
        f"{quoted(PENDING)} {PENDING_RECORDS}",
    ]
    comment = f"Taulu: where each partition of {layout.table.full_name} ends"
    options = [f"comment = {_text(comment)}"]
    return _create(layout.companion(HEADS_SUFFIX), columns, f"({quoted(PARTITION)})", options)


def _create_records(layout: Layout, comment: str) -> str:
    columns = [
        f"{quoted(PARTITION)} int",
        f"{quoted(BUCKET)} bigint",
        f"{quoted(OFFSET)} bigint",
        f"{quoted(TIME)} bigint",
        *(f"{quoted(f.name)} {f.native}" for f in (*layout.partition, *layout.columns)),
    ]
    key = f"({quoted(PARTITION)}, {quoted(BUCKET)}), {quoted(OFFSET)}"
    return _create(layout.name, columns, key, _with(layout, comment))


def _key(layout: Layout) -> tuple[Field, ...]:
    return (*layout.partition, *layout.clustering)


def _names(fields: Iterable[Field]) -> str:
    return ", ".join(quoted(field.name) for field in fields)


def _order(layout: Layout) -> list[str]:
    if not any(field.descending for field in layout.clustering):
        return []
    order = ", ".join(
        f"{quoted(f.name)} {'DESC' if f.descending else 'ASC'}" for f in layout.clustering
    )
    return [f"CLUSTERING ORDER BY ({order})"]


def _with(layout: Layout, comment: str) -> list[str]:
    options = [f"compaction = {_map(compaction_of(layout))}", f"comment = {_text(comment)}"]
    if layout.options.gc_grace_seconds is not None:
        options.append(f"gc_grace_seconds = {layout.options.gc_grace_seconds}")
    return options


def compaction_of(layout: Layout) -> Mapping[str, str | int]:
    """Return how a table's files are merged: its own option, or what suits kind and expiry."""
    if layout.options.compaction is not None:
        return layout.options.compaction
    if layout.table.ttl_us is not None and _is_time_series(layout.table):
        return {
            "class": "TimeWindowCompactionStrategy",
            "compaction_window_unit": "HOURS",
            "compaction_window_size": max(1, layout.table.ttl_us // _HOUR_US // _WINDOWS),
        }
    return {"class": "UnifiedCompactionStrategy"}


def _is_time_series(table: Table) -> bool:
    """Return whether rows are written about in the order in which they expire, and once."""
    if table.kind is Kind.LOG:
        return True
    first = table.clustering_key[:1]
    return bool(first) and first[0].column.type.name is TypeName.TIMESTAMP


def _create(name: str, columns: list[str], key: str, options: list[str]) -> str:
    listed = ",\n  ".join([*columns, f"PRIMARY KEY ({key})"])
    return f"CREATE TABLE IF NOT EXISTS {name} (\n  {listed}\n) WITH " + "\n  AND ".join(options)


def _map(values: Mapping[str, str | int]) -> str:
    return "{" + ", ".join(f"{_text(k)}: {_text(str(v))}" for k, v in values.items()) + "}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
