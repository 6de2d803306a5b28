"""Rows as plain mappings, dataclasses or pydantic models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

from taulu.model.errors import InvalidArgument
from taulu.model.value import Value

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class RowType(Generic[RowT]):
    """How rows of one Python type are read and made."""

    to_mapping: Callable[[RowT | Mapping[str, Value]], Mapping[str, Value]]
    from_mapping: Callable[[Mapping[str, Value]], RowT]


def row_type(python_type: type[RowT] | None) -> RowType[Any]:
    """Return how rows of a type are read and made; None stands for `dict`.

    Raises:
        TypeError: It is neither a dataclass nor a pydantic model.
    """
    if python_type is None:
        return RowType(_same, dict)
    if is_dataclass(python_type):
        return _dataclass_rows(python_type)
    if hasattr(python_type, "model_validate") and hasattr(python_type, "model_dump"):
        return _model_rows(python_type)
    raise TypeError(f"{python_type!r} is neither a dataclass nor a pydantic model")


def _same(row: object) -> Mapping[str, Value]:
    if not isinstance(row, Mapping):
        raise InvalidArgument(
            f"a row is given as a mapping by column name, not as {type(row).__name__}; name the "
            "row type when opening the table"
        )
    return cast("Mapping[str, Value]", row)


def _dataclass_rows(python_type: Any) -> RowType[Any]:  # noqa: ANN401 - any dataclass
    names = tuple(field.name for field in fields(python_type))
    needed = {
        field.name
        for field in fields(python_type)
        if field.default is MISSING and field.default_factory is MISSING
    }

    def to_mapping(row: Any) -> Mapping[str, Value]:  # noqa: ANN401 - of that type
        if not isinstance(row, python_type):
            return _same(row)
        return {name: getattr(row, name) for name in names}

    def from_mapping(row: Mapping[str, Value]) -> Any:  # noqa: ANN401 - of that type
        # A column that is not set reads as None where the type has no default of its own.
        unset = dict.fromkeys(needed - row.keys())
        return python_type(**unset, **{name: row[name] for name in names if name in row})

    return RowType(to_mapping, from_mapping)


def _model_rows(python_type: Any) -> RowType[Any]:  # noqa: ANN401 - any pydantic model
    def to_mapping(row: Any) -> Mapping[str, Value]:  # noqa: ANN401 - of that type
        if not isinstance(row, python_type):
            return _same(row)
        return cast("Mapping[str, Value]", row.model_dump())

    return RowType(to_mapping, python_type.model_validate)
