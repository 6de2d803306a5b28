"""Write units: conditions first, then mutations, all or nothing in one savepoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from taulu.codec import stretch_of
from taulu.model import (
    Condition,
    Corrupt,
    Delete,
    DeleteRange,
    IfColumns,
    Key,
    LimitExceeded,
    Mutation,
    Put,
    Update,
    Value,
    WriteUnit,
    Written,
)
from taulu.spi import check_condition
from taulu_embedded import statements
from taulu_embedded._driver import SqlRow
from taulu_embedded.places import partition_hash
from taulu_embedded.shape import StoredTable
from taulu_embedded.transaction import Transaction

_raw_decoder = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_raw_encoder = msgspec.msgpack.Encoder()

_Place = tuple[int, bytes, bytes]
"""The hash, partition bytes and clustering bytes of a row."""


def apply_unit(transaction: Transaction, stored: StoredTable, unit: WriteUnit) -> Written:
    """Apply a unit once, inside the caller's savepoint.

    Raises:
        ConditionFailed: A condition does not hold.
        LimitExceeded: A partition would hold more rows than the table allows.
        TokenReused: The token has named another effect.
    """
    before = stored.tokens.recall(transaction, unit)
    if before is not None:
        return Written(version=before[0])
    for index, condition in enumerate(unit.conditions):
        _check(transaction, stored, index, condition)
    growing = _growing_partitions(transaction, stored, unit)
    version = transaction.next_version()
    for mutation in unit.mutations:
        _apply(transaction, stored, mutation, version)
    _check_partition_rows(transaction, stored, growing)
    stored.tokens.remember(transaction, unit, version)
    return Written(version=version, is_first=True)


def _place(stored: StoredTable, key: Key) -> _Place:
    partition = stored.keys.partition(key.partition)
    return partition_hash(partition), partition, stored.keys.clustering(key.clustering)


def _live_row(transaction: Transaction, stored: StoredTable, place: _Place) -> SqlRow | None:
    """Return version, expiry and body of a row that has not expired."""
    return transaction.connection.one(statements.GET_ROW, stored.id, *place, transaction.now_us)


def _check(transaction: Transaction, stored: StoredTable, index: int, condition: Condition) -> None:
    row = _live_row(transaction, stored, _place(stored, condition.key))
    version = None if row is None else row[0]
    columns: Mapping[str, Value] = {}
    if row is not None and isinstance(condition, IfColumns):
        columns = stored.rows.decode(row[2], tuple(condition.columns))
    check_condition(stored.table, index, condition, version, columns)


def _apply(transaction: Transaction, stored: StoredTable, mutation: Mutation, version: int) -> None:
    match mutation:
        case Put(key=key, columns=columns, ttl_us=ttl_us):
            expire_us = _expiry(transaction, stored.table.ttl_us if ttl_us is None else ttl_us)
            body = stored.rows.encode(columns)
            _put(transaction, stored, _place(stored, key), (version, expire_us, body))
        case Update():
            _update(transaction, stored, mutation, version)
        case Delete(key=key):
            place = _place(stored, key)
            transaction.connection.execute(statements.DELETE_ROW, stored.id, *place)
        case DeleteRange():
            _delete_range(transaction, stored, mutation)


def _expiry(transaction: Transaction, ttl_us: int | None) -> int | None:
    return None if ttl_us is None else transaction.now_us + ttl_us


def _put(
    transaction: Transaction,
    stored: StoredTable,
    place: _Place,
    fields: tuple[int, int | None, bytes],
) -> None:
    transaction.connection.execute(statements.PUT_ROW, stored.id, *place, *fields)


def _update(transaction: Transaction, stored: StoredTable, update: Update, version: int) -> None:
    place = _place(stored, update.key)
    row = _live_row(transaction, stored, place)
    if row is None:
        ttl_us = stored.table.ttl_us if update.ttl_us is None else update.ttl_us
        expire_us, body = _expiry(transaction, ttl_us), stored.rows.encode(update.columns)
    else:
        expire_us = cast("int | None", row[1])
        if update.ttl_us is not None:
            expire_us = _expiry(transaction, update.ttl_us)
        body = _merge(stored, row[2], update.columns)
    _put(transaction, stored, place, (version, expire_us, body))


def _merge(stored: StoredTable, body: bytes, changes: Mapping[str, Value]) -> bytes:
    """Lay changed columns over a stored row without decoding the others.

    Columns that this process's description lacks are kept: during a rolling change of a table,
    an older worker must not drop what a newer one wrote.
    """
    try:
        columns = _raw_decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise Corrupt(
            f"a stored row of {stored.table.full_name} cannot be decoded: {error}",
            details={"table": stored.table.full_name},
        ) from error
    columns.update(_raw_decoder.decode(stored.rows.encode(changes)))
    for name, value in changes.items():
        if value is None:
            columns.pop(name, None)
    return _raw_encoder.encode(columns)


def _delete_range(transaction: Transaction, stored: StoredTable, mutation: DeleteRange) -> None:
    stretch = stretch_of(stored.keys, mutation.range)
    if stretch.is_empty:
        return
    partition = stored.keys.partition(mutation.partition)
    values = (stored.id, partition_hash(partition), partition, stretch.low)
    if stretch.high is None:
        transaction.connection.execute(statements.DELETE_FROM, *values)
    else:
        transaction.connection.execute(statements.DELETE_BETWEEN, *values, stretch.high)


def _growing_partitions(
    transaction: Transaction, stored: StoredTable, unit: WriteUnit
) -> set[bytes]:
    """Return the partitions that a unit adds rows to, if the table limits their rows."""
    if stored.table.limits.partition_rows is None:
        return set()
    places = (_place(stored, m.key) for m in unit.mutations if isinstance(m, Put | Update))
    return {place[1] for place in places if _live_row(transaction, stored, place) is None}


def _check_partition_rows(
    transaction: Transaction, stored: StoredTable, growing: set[bytes]
) -> None:
    """Refuse a unit that leaves more live rows in a partition than the table allows.

    It costs one count of each partition that grows, so it grows with the limit.
    """
    limit = stored.table.limits.partition_rows
    if limit is None:
        return
    for partition in growing:
        row = transaction.connection.one(
            statements.COUNT_PARTITION,
            stored.id,
            partition_hash(partition),
            partition,
            transaction.now_us,
            limit + 1,
        )
        if row is not None and row[0] > limit:
            raise LimitExceeded(
                f"the write would leave more than {limit} rows in one partition of "
                f"{stored.table.full_name} (limits.partition_rows); delete rows first, or "
                "spread them over more partitions",
                details={"limit": "partition_rows", "value": str(row[0])},
            )
