"""Units of a write, from what callers give to what the wire takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from taulu.model import operation as model
from taulu_client.items import (
    Condition,
    Delete,
    DeleteRange,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Mutation,
    Put,
    Unit,
    Update,
    new_token,
)
from taulu_client.row_types import RowType
from taulu_client.shape import Shape

_MICROSECOND = timedelta(microseconds=1)


def write_unit(shape: Shape, rows: RowType[Any], unit: Unit) -> model.WriteUnit:
    """Return a unit with the keys and columns of one table.

    Raises:
        InvalidArgument: A key or a column does not fit the table.
    """
    return model.WriteUnit(
        tuple(_mutation(shape, rows, mutation) for mutation in unit.mutations),
        unit.token or new_token(),
        tuple(_condition(shape, condition) for condition in unit.conditions),
    )


def _mutation(shape: Shape, rows: RowType[Any], mutation: Mutation) -> model.Mutation:
    match mutation:
        case Put(row=row, ttl=ttl):
            # What a unit holds is typed when it meets its table.
            key, columns = shape.row(rows.to_mapping(row))
            return model.Put(key, columns, _ttl_us(ttl))
        case Update(key=key, changes=changes, ttl=ttl):
            return model.Update(shape.key(key), shape.columns(changes), _ttl_us(ttl))
        case Delete(key=key):
            return model.Delete(shape.key(key))
        case DeleteRange(partition=partition):
            stretch = shape.range(
                mutation.start,
                mutation.end,
                start_exclusive=mutation.start_exclusive,
                end_exclusive=mutation.end_exclusive,
            )
            return model.DeleteRange(shape.partition_values(partition), stretch)


def _ttl_us(ttl: timedelta | None) -> int | None:
    return None if ttl is None else ttl // _MICROSECOND


def _condition(shape: Shape, condition: Condition) -> model.Condition:
    key = shape.key(condition.key)
    match condition:
        case IfAbsent():
            return model.IfAbsent(key)
        case IfPresent():
            return model.IfPresent(key)
        case IfVersion(version=version):
            return model.IfVersion(key, version)
        case IfColumns(columns=columns):
            return model.IfColumns(key, shape.columns(columns))
