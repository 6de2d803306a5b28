"""Statements on logs and the heads of their partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from taulu.codec import timestamp_from_us, timestamp_to_us
from taulu.model import Appended, KeyValue, NewRecord
from taulu_postgres._driver import Call, Many
from taulu_postgres.stored import StoredTable

_YEARS = (
    timestamp_to_us(datetime.min.replace(tzinfo=UTC)),
    timestamp_to_us(datetime.max.replace(tzinfo=UTC)),
)


def time_within_years(time_us: int) -> datetime:
    """Return the time, or the nearest that a calendar has: no record lies beyond it."""
    return timestamp_from_us(min(max(time_us, _YEARS[0]), _YEARS[1]))


def lock_heads(stored: StoredTable, partitions: Sequence[int]) -> Call:
    """Lock partitions for appending, in ascending order. Answers `(partition, end, time)`."""
    return Call(
        f"SELECT _partition, _end, _time FROM {_heads(stored)} "
        "WHERE _partition = ANY($1::integer[]) ORDER BY _partition FOR UPDATE",
        (list(partitions),),
    )


def insert(stored: StoredTable, added: Sequence[tuple[Appended, NewRecord]]) -> Many:
    """Write records at their places."""
    typed = [
        ("_partition", "integer"),
        ("_offset", "bigint"),
        ("_time", "timestamptz"),
        *((name, held.name) for name, held in stored.partition_types),
        *((name, held.name) for name, held in stored.column_types.values()),
    ]
    names = ", ".join(name for name, _ in typed)
    marks = ", ".join(f"${at}::{type_name}" for at, (_, type_name) in enumerate(typed, 1))
    rows = [
        (
            *(done.partition, done.offset, timestamp_from_us(done.time_us)),
            *key_values(stored, record.key),
            *stored.column_values(record.columns),
        )
        for done, record in added
    ]
    return Many(f"INSERT INTO {stored.name} ({names}) VALUES ({marks})", rows)


def key_values(stored: StoredTable, key: Sequence[KeyValue]) -> list[object]:
    """Return a record's key values as they are stored."""
    return [
        held.encode(value) for (_, held), value in zip(stored.partition_types, key, strict=True)
    ]


def move_heads(stored: StoredTable, ends: Mapping[int, tuple[int, int]]) -> Call:
    """Set the end and the last time, in microseconds, of partitions."""
    return Call(
        f"UPDATE {_heads(stored)} AS t SET _end = k.e, _time = k.t FROM "
        "unnest($1::integer[], $2::bigint[], $3::timestamptz[]) AS k(p, e, t) "
        "WHERE t._partition = k.p",
        (
            list(ends),
            [end for end, _ in ends.values()],
            [timestamp_from_us(time_us) for _, time_us in ends.values()],
        ),
    )


def kept(
    stored: StoredTable, partition: int, oldest: datetime | None, since: datetime | None
) -> Call:
    """Tell which records count. Answers `(first, end, first since a time)`.

    Args:
        stored: The log.
        partition: Its partition.
        oldest: The time before which records are past their retention; None keeps all.
        since: The time to look for; None looks for none and answers the end.
    """
    first_at = (
        f"(SELECT _offset FROM {stored.name} WHERE _partition = $1::integer "
        "AND _time >= ${}::timestamptz ORDER BY _time, _offset LIMIT 1)"
    )
    values: list[object] = [partition]
    first, found = "_first", "_end"
    if oldest is not None:
        values.append(oldest)
        first = f"greatest(_first, coalesce({first_at.replace('{}', str(len(values)))}, _end))"
    if since is not None:
        values.append(since)
        found = f"coalesce({first_at.replace('{}', str(len(values)))}, _end)"
    text = f"SELECT {first}, _end, {found} FROM {_heads(stored)} WHERE _partition = $1::integer"
    return Call(text, tuple(values))


def read(stored: StoredTable, partition: int, start: int, records_max: int) -> Call:
    """Read records from an offset. Answers `(offset, time, *key, *columns)`."""
    keys = [name for name, _ in stored.partition_types]
    selected = ["_offset", "_time", *keys, *stored.selected(tuple(stored.column_types))]
    return Call(
        f"SELECT {', '.join(selected)} FROM {stored.name} WHERE _partition = $1::integer "
        "AND _offset >= $2::bigint ORDER BY _offset LIMIT $3::bigint",
        (partition, start, records_max),
    )


def ends(stored: StoredTable) -> Call:
    """Tell the end of every partition. Answers `(partition, end)`."""
    return Call(f"SELECT _partition, _end FROM {_heads(stored)}")


def purge(stored: StoredTable, partition: int, first: int) -> list[Call]:
    """Remove the records of a partition before an offset."""
    return [
        Call(
            f"DELETE FROM {stored.name} WHERE _partition = $1::integer AND _offset < $2::bigint",
            (partition, first),
        ),
        Call(
            f"UPDATE {_heads(stored)} SET _first = greatest(_first, $2::bigint) "
            "WHERE _partition = $1::integer",
            (partition, first),
        ),
    ]


def past_retention(stored: StoredTable, oldest: datetime, chunk: int) -> Call:
    """Tell what can go. Answers `(partition, first, first to keep)`, at most a chunk away."""
    return Call(
        "SELECT h._partition, h._first, least(h._first + $2::bigint, coalesce((SELECT t._offset "
        f"FROM {stored.name} AS t WHERE t._partition = h._partition "
        "AND t._time >= $1::timestamptz ORDER BY t._time, t._offset LIMIT 1), h._end)) AS first "
        f"FROM {_heads(stored)} AS h WHERE h._end > h._first ORDER BY h._partition",
        (oldest, chunk),
    )


def _heads(stored: StoredTable) -> str:
    return stored.names.table(stored.table, "$heads")
