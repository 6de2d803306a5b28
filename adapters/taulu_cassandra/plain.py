"""Plain writes: the time in a unit's token is the timestamp of all its cells.

Whoever sends a unit again writes the same cells at the same timestamp, so nothing needs to be
remembered of tokens. The write with the latest time wins, whichever came last.
"""

from __future__ import annotations

from taulu.model import (
    Failed,
    Partition,
    TauluError,
    WriteOutcome,
    WriteUnit,
    Written,
)
from taulu.model.operation import DeleteRange
from taulu_cassandra import statements
from taulu_cassandra._driver import UNSET, Bound
from taulu_cassandra.folding import Change, NoRow, PlainFold, SomeColumns, WholeRow
from taulu_cassandra.growth import Growth, check_growth, live_rows, rows_added_max
from taulu_cassandra.layout import Clustering
from taulu_cassandra.reading import Reading
from taulu_cassandra.slices import slices_of
from taulu_cassandra.stored import StoredTable


async def write_unit(reading: Reading, growth: Growth, unit: WriteUnit) -> WriteOutcome:
    """Apply a unit as one batch, which its partition takes whole or not at all."""
    stored = reading.stored
    try:
        partition = _partition_of(unit)
        await _check_room(reading, growth, partition, unit)
        batch = await _statements(reading, partition, unit)
        await stored.calls.write(batch, stored.layout.levels.write, reading.call)
    except TauluError as error:
        return Failed(error)
    return Written(version=unit.token.create_time_us)


def _partition_of(unit: WriteUnit) -> Partition:
    first = unit.mutations[0]
    return first.partition if isinstance(first, DeleteRange) else first.key.partition


async def _check_room(
    reading: Reading, growth: Growth, partition: Partition, unit: WriteUnit
) -> None:
    """Keep a partition from growing past the table's limit.

    Writers that race may each find room and pass the limit together, by as many rows as they
    write at once: a guard against growth that no one noticed, and no more.
    """
    stored = reading.stored
    limit = stored.layout.table.limits.partition_rows
    added = rows_added_max(unit.mutations)
    if limit is None or not added or growth.room(stored, partition, added):
        return
    before = await live_rows(reading, partition, limit)
    after = check_growth(stored, before, unit.mutations)
    growth.counted(stored, partition, len(after))


async def _statements(reading: Reading, partition: Partition, unit: WriteUnit) -> list[Bound]:
    stored = reading.stored
    fold = PlainFold(stored.layout.keys)
    for mutation in unit.mutations:
        fold.add(mutation)
    at_us = unit.token.create_time_us
    batch: list[Bound] = []
    for clustering, change in fold.changes.items():
        batch.append(await _row_statement(stored, (partition, clustering), change, at_us))
    values = stored.layout.partition_values(partition)
    for stretch in fold.deleted():
        for wanted in slices_of(stretch):
            text = statements.delete_slice_plain(stored.layout, wanted)
            own = statements.slice_values(stored.layout, wanted)
            batch.append(await stored.bind(text, at_us, *values, *own))
    return batch


async def _row_statement(
    stored: StoredTable, place: tuple[Partition, Clustering], change: Change, at_us: int
) -> Bound:
    layout = stored.layout
    key = (*layout.partition_values(place[0]), *layout.clustering_values(place[1]))
    match change:
        case NoRow():
            return await stored.bind(statements.delete_plain(layout), at_us, *key)
        case WholeRow(columns=columns, ttl_us=own_ttl_us):
            ttl_us = layout.table.ttl_us if own_ttl_us is None else own_ttl_us
            # Counted from the token's time, so that a resend writes the very same expiry.
            expire_us = None if ttl_us is None else at_us + ttl_us
            text = statements.put_plain(layout)
            values = (*key, *layout.column_values(columns), at_us, expire_us)
            return await stored.bind(text, *values, at_us, stored.native_ttl_s(expire_us))
        case SomeColumns(columns=columns):
            encoded = layout.column_values(columns)
            values = tuple(
                value if field.name in columns else UNSET
                for field, value in zip(layout.columns, encoded, strict=True)
            )
            text = statements.put_plain(layout)
            return await stored.bind(text, *key, *values, at_us, UNSET, at_us, 0)
