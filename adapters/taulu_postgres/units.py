"""Write units: conditions first, then mutations, all or nothing, decided in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from taulu.codec import stretch_of, timestamp_from_us
from taulu.model import (
    Condition,
    Corrupt,
    Delete,
    DeleteRange,
    Failed,
    IfColumns,
    Key,
    LimitExceeded,
    Mutation,
    Partition,
    Put,
    TauluError,
    Update,
    Value,
    WriteUnit,
    Written,
)
from taulu.spi import check_condition, partition_of, partitions_of
from taulu_postgres import row_statements
from taulu_postgres._driver import Call, Many, SqlRow
from taulu_postgres.columns import expire_time, expire_us
from taulu_postgres.draft import Draft, Range, RowState, UnitDraft, versions_below
from taulu_postgres.row_statements import UpsertRow
from taulu_postgres.slots import lock, raise_floors
from taulu_postgres.stored import StoredTable
from taulu_postgres.tokens import TokenBook, read_tokens
from taulu_postgres.transaction import Decision, Plan


def check_unit(stored: StoredTable, unit: WriteUnit) -> None:
    """Raise when a value of a unit cannot be stored."""
    for key in _keys_of(unit):
        stored.keys.partition(key.partition)
        stored.keys.clustering(key.clustering)
        stored.key_values(key)
    for mutation in unit.mutations:
        if isinstance(mutation, Put | Update):
            stored.column_values(mutation.columns)
            stored.rows.encode(mutation.columns)


def plan_units(stored: StoredTable, units: Sequence[WriteUnit], now_us: int) -> Plan[Written]:
    """Plan a batch of units."""
    keys = list(dict.fromkeys(key for unit in units for key in _keys_of(unit)))
    ranges = list(dict.fromkeys(deleted for unit in units for deleted in _ranges(stored, unit)))
    columns = tuple(stored.column_types) if any(map(_needs_columns, units)) else ()
    is_limited = stored.table.limits.partition_rows is not None
    partitions = {partition for unit in units for partition in partitions_of(unit)}
    growing = [p for p in partitions if is_limited]
    now = timestamp_from_us(now_us)
    range_call = row_statements.keys_in if is_limited else row_statements.highest
    reads = [
        lock(stored.names, stored.id, map(stored.slot, partitions)),
        read_tokens(stored, units),
        row_statements.get(stored, keys, columns),
        *(row_statements.count(stored, partition, now) for partition in growing),
        *(range_call(stored, *deleted) for deleted in ranges),
    ]

    def decide(answers: list[list[SqlRow]]) -> Decision[Written]:
        floors, tokens, rows, *rest = answers
        counts, found = rest[: len(growing)], rest[len(growing) :]
        draft = Draft(
            stored,
            now_us,
            rows=_states(stored, keys, columns, rows),
            floors=dict(floors),
            range_versions={},
            counts={p: answer[0][0] for p, answer in zip(growing, counts, strict=True)},
        )
        for deleted, answer in zip(ranges, found, strict=True):
            _learn_range(draft, deleted, answer, is_limited=is_limited)
        book = TokenBook(stored, tokens, now_us)
        outcomes = [_outcome(draft, book, unit) for unit in units]
        return Decision(outcomes, [*_calls(draft), *book.calls()])

    return Plan(reads, decide)


def _keys_of(unit: WriteUnit) -> Iterator[Key]:
    for condition in unit.conditions:
        yield condition.key
    for mutation in unit.mutations:
        if not isinstance(mutation, DeleteRange):
            yield mutation.key


def _ranges(stored: StoredTable, unit: WriteUnit) -> Iterator[Range]:
    """Return the ranges that a unit deletes, as far as they can hold rows."""
    for mutation in unit.mutations:
        if not isinstance(mutation, DeleteRange):
            continue
        if not stretch_of(stored.keys, mutation.range).is_empty:
            yield mutation.partition, mutation.range


def _needs_columns(unit: WriteUnit) -> bool:
    return any(isinstance(m, Update) for m in unit.mutations) or any(
        isinstance(c, IfColumns) for c in unit.conditions
    )


def _states(
    stored: StoredTable, keys: Sequence[Key], columns: Sequence[str], found: list[SqlRow]
) -> dict[Key, RowState | None]:
    states: dict[Key, RowState | None] = dict.fromkeys(keys)
    for place, version, expire, *fields in found:
        held: Mapping[str, Value] | Corrupt
        try:
            held = cast("dict[str, Value]", stored.columns_of(columns, tuple(fields)))
        except Corrupt as error:
            held = error
        states[keys[place - 1]] = RowState(version, expire_us(expire), held)
    return states


def _learn_range(draft: Draft, deleted: Range, found: list[SqlRow], *, is_limited: bool) -> None:
    """Take in what was read of a range: its highest version, or all of its keys."""
    versions: list[int] = [version for version, *_ in found if version is not None]
    draft.range_versions[deleted] = max(versions, default=0)
    if is_limited:
        for version, expire, *fields in found:
            key = draft.stored.key_of(fields)
            draft.rows.setdefault(key, RowState(version, expire_us(expire), {}))


def _outcome(draft: Draft, book: TokenBook, unit: WriteUnit) -> Written | Failed:
    try:
        return _decide(draft, book, unit)
    except TauluError as error:
        return Failed(error)


def _decide(draft: Draft, book: TokenBook, unit: WriteUnit) -> Written:
    """Decide a unit once, and make its changes those of the batch.

    Raises:
        ConditionFailed: A condition does not hold.
        LimitExceeded: A partition would hold more rows than the table allows.
        TokenReused: The token has named another effect.
    """
    before = book.recall(unit)
    if before is not None:
        return Written(version=before[0])
    for index, condition in enumerate(unit.conditions):
        _check(draft, index, condition)
    own = UnitDraft(draft, _version(draft, unit))
    growing = _growing(draft, unit)
    for mutation in unit.mutations:
        _apply(own, mutation)
    _check_partition_rows(own, growing)
    own.keep()
    book.remember(unit, own.version)
    return Written(version=own.version, is_first=True)


def _check(draft: Draft, index: int, condition: Condition) -> None:
    state = draft.rows[condition.key]
    row = state if draft.is_live(state) else None
    version = None if row is None else row.version
    columns: Mapping[str, Value] = {}
    # Columns that cannot be read concern only those who ask for them.
    if row is not None and isinstance(condition, IfColumns):
        columns = row.readable()
    check_condition(draft.stored.table, index, condition, version, columns)


def _version(draft: Draft, unit: WriteUnit) -> int:
    """Return a version above all that any row of the unit had, deleted ones included."""
    slots = {draft.stored.slot(partition_of(mutation)) for mutation in unit.mutations}
    keys = [m.key for m in unit.mutations if not isinstance(m, DeleteRange)]
    below = [0]
    for mutation in unit.mutations:
        if isinstance(mutation, DeleteRange):
            deleted = mutation.partition, mutation.range
            below.append(draft.range_versions.get(deleted, 0))
            keys += draft.known_in(deleted)
    below += versions_below(draft, slots, keys)
    return max(draft.now_us, max(below) + 1)


def _apply(own: UnitDraft, mutation: Mutation) -> None:
    draft = own.draft
    match mutation:
        case Put(key=key, columns=columns, ttl_us=ttl_us):
            own.put(key, columns, _expiry(draft, ttl_us))
        case Update(key=key, columns=columns, ttl_us=ttl_us):
            state = own.state(key)
            if state is None or not draft.is_live(state):
                own.put(key, columns, _expiry(draft, ttl_us))
            else:
                kept = state.expire_us if ttl_us is None else _expiry(draft, ttl_us)
                own.update(key, columns, kept)
        case Delete(key=key):
            own.delete(key)
        case DeleteRange(partition=partition, range=span):
            own.delete_range((partition, span))


def _expiry(draft: Draft, ttl_us: int | None) -> int | None:
    own_us = draft.stored.table.ttl_us if ttl_us is None else ttl_us
    return None if own_us is None else draft.now_us + own_us


def _growing(draft: Draft, unit: WriteUnit) -> set[Partition]:
    """Return the partitions that a unit adds rows to, if the table limits their rows."""
    if draft.stored.table.limits.partition_rows is None:
        return set()
    keys = [m.key for m in unit.mutations if isinstance(m, Put | Update)]
    return {key.partition for key in keys if not draft.is_live(draft.rows[key])}


def _check_partition_rows(own: UnitDraft, growing: set[Partition]) -> None:
    table = own.draft.stored.table
    limit = table.limits.partition_rows
    for partition in growing:
        count = own.draft.counts[partition] + own.growth(partition)
        if limit is not None and count > limit:
            raise LimitExceeded(
                f"the write would leave more than {limit} rows in one partition of "
                f"{table.full_name} (limits.partition_rows); delete rows first, or spread them "
                "over more partitions",
                details={"limit": "partition_rows", "value": str(count)},
            )


def _calls(draft: Draft) -> list[Call | Many]:
    """Return the statements that bring the table to what the draft says."""
    stored = draft.stored
    calls: list[Call | Many] = []
    for deleted in draft.ranges:
        calls += row_statements.delete_range(stored, *deleted)
    gone = [key for key, state in draft.changed.items() if state is None]
    if gone:
        calls.append(row_statements.delete(stored, gone))
    for is_whole in (True, False):
        rows = [
            _upsert_row(key, state)
            for key, state in draft.changed.items()
            if state is not None and state.is_whole == is_whole
        ]
        if rows:
            calls.append(row_statements.upsert(stored, rows, is_whole=is_whole))
    if draft.slots_deleted:
        calls.append(raise_floors(stored.names, stored.id, draft.slots_deleted, draft.version))
    return calls


def _upsert_row(key: Key, state: RowState) -> UpsertRow:
    columns = cast("dict[str, object]", dict(state.readable()))
    return key, state.version, expire_time(state.expire_us), columns
