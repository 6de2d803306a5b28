"""Statements on counters and their holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from taulu.model import Counter, Key
from taulu_postgres._driver import Call, Many
from taulu_postgres.escape import escape
from taulu_postgres.row_statements import joined, unnested
from taulu_postgres.stored import StoredTable, Values


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold as it is stored."""

    key: Key
    hold_id: str
    amount: int
    expire: datetime | None


def get(stored: StoredTable, keys: Sequence[Key], now: datetime, as_of: str = "") -> Call:
    """Read counters. Answers `(place from 1, value, version, held up, held down)` for every key."""
    values = Values()
    known = unnested(stored, keys, values)
    mark = values.add(now, "timestamptz")
    text = (
        "SELECT k._place, t._value, t._version, coalesce(held.up, 0), coalesce(held.down, 0) "
        f"FROM {known} LEFT JOIN {stored.name} AS t ON {joined(stored)} "
        "LEFT JOIN LATERAL (SELECT sum(h._amount) FILTER (WHERE h._amount > 0) AS up, "
        "sum(h._amount) FILTER (WHERE h._amount < 0) AS down "
        f"FROM {_holds(stored)} AS h WHERE {_of_key(stored)} AND h._expire > {mark}) "
        f"AS held ON true {as_of}"
    )
    return Call(text.rstrip(), tuple(values.given))


def get_holds(stored: StoredTable, named: Sequence[tuple[Key, str]], now: datetime) -> Call:
    """Read active holds by id. Answers `(place from 1, amount)`."""
    values = Values()
    known = _unnested_holds(stored, named, values)
    text = (
        f"SELECT k._place, h._amount FROM {known} JOIN {_holds(stored)} AS h "
        f"ON {_of_key(stored)} AND h._hold = k._hold "
        f"WHERE h._expire > {values.add(now, 'timestamptz')}"
    )
    return Call(text, tuple(values.given))


def delete_expired(stored: StoredTable, keys: Sequence[Key], now: datetime) -> Call:
    """Remove the expired holds of counters."""
    values = Values()
    known = unnested(stored, keys, values)
    text = (
        f"DELETE FROM {_holds(stored)} AS h USING {known} "
        f"WHERE {_of_key(stored)} AND h._expire <= {values.add(now, 'timestamptz')}"
    )
    return Call(text, tuple(values.given))


def delete_holds(stored: StoredTable, named: Sequence[tuple[Key, str]]) -> Call:
    """Remove holds by id."""
    values = Values()
    known = _unnested_holds(stored, named, values)
    text = (
        f"DELETE FROM {_holds(stored)} AS h USING {known} "
        f"WHERE {_of_key(stored)} AND h._hold = k._hold"
    )
    return Call(text, tuple(values.given))


def put_holds(stored: StoredTable, holds: Sequence[Hold]) -> Many:
    """Set holds up, over those of the same ids."""
    keys = [(name, held.name) for name, held in stored.key_types]
    typed = [*keys, ("_hold", "text"), ("_amount", "bigint"), ("_expire", "timestamptz")]
    rows = [
        (*stored.key_values(hold.key), escape(hold.hold_id), hold.amount, hold.expire)
        for hold in holds
    ]
    conflict = ", ".join([*(name for name, _ in keys), "_hold"])
    return Many(
        f"{_insert(_holds(stored), typed)} ON CONFLICT ({conflict}) "
        "DO UPDATE SET _amount = excluded._amount, _expire = excluded._expire",
        rows,
    )


def upsert(stored: StoredTable, counters: Sequence[Counter]) -> Many:
    """Write counters."""
    keys = [(name, held.name) for name, held in stored.key_types]
    typed = [*keys, ("_value", "bigint"), ("_version", "bigint")]
    rows = [(*stored.key_values(c.key), c.value, c.version) for c in counters]
    return Many(
        f"{_insert(stored.name, typed)} ON CONFLICT ({', '.join(name for name, _ in keys)}) "
        "DO UPDATE SET _value = excluded._value, _version = excluded._version",
        rows,
    )


def _insert(table: str, typed: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(name for name, _ in typed)
    marks = ", ".join(f"${at}::{type_name}" for at, (_, type_name) in enumerate(typed, 1))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"


def _holds(stored: StoredTable) -> str:
    return stored.names.table(stored.table, "$holds")


def _of_key(stored: StoredTable) -> str:
    return " AND ".join(f"h.{name} = k.{name}" for name, _ in stored.key_types)


def _unnested_holds(stored: StoredTable, named: Sequence[tuple[Key, str]], values: Values) -> str:
    rows = [stored.key_values(key) for key, _ in named]
    arrays = [
        values.add([row[at] for row in rows], f"{held.name}[]")
        for at, (_, held) in enumerate(stored.key_types)
    ]
    arrays.append(values.add([escape(hold_id) for _, hold_id in named], "text[]"))
    names = ", ".join(name for name, _ in stored.key_types)
    return f"unnest({', '.join(arrays)}) WITH ORDINALITY AS k({names}, _hold, _place)"
