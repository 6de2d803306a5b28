"""How plain Python values become the keys and columns of one table, and back."""

from __future__ import annotations

import difflib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, cast

from taulu.model.errors import InvalidArgument
from taulu.model.row import Bound, ClusteringRange, Key
from taulu.model.value import KeyValue, Value
from taulu_client.table_info import TableInfo

KeyLike: TypeAlias = "KeyValue | tuple[KeyValue, ...] | Mapping[str, KeyValue]"
"""A key: the value itself when there is one key column, values in declared order, or by name."""


def _to_float(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    # The number itself, so that no digit is lost in silence; one past every float overflows.
    if float(value) != value:
        raise ValueError(f"{value} has more digits than a float64 keeps; send a float")
    return float(value)


def _to_vector(value: object) -> object:
    if isinstance(value, array):
        return cast(object, value)
    return array("f", cast("Iterable[float]", value))


def _to_list(value: object) -> object:
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


_LENIENT: dict[str, Callable[[object], object]] = {
    "float64": _to_float,
    "vector": _to_vector,
    "list": _to_list,
}
"""What is taken besides the exact type: whole numbers as floats, sequences as vectors."""


@dataclass(frozen=True)
class Shape:
    """One table's columns, compiled from its description."""

    info: TableInfo

    @cached_property
    def partition(self) -> tuple[str, ...]:
        """Names of the partition key columns."""
        return tuple(c.name for c in self.info.columns if c.role == "partition")

    @cached_property
    def clustering(self) -> tuple[str, ...]:
        """Names of the clustering columns."""
        return tuple(c.name for c in self.info.columns if c.role.startswith("clustering"))

    @cached_property
    def _convert(self) -> dict[str, Callable[[object], object] | None]:
        return {
            c.name: _LENIENT.get(c.type.partition("<")[0])
            for c in self.info.columns
            if c.role == "data"
        }

    def key(self, key: KeyLike) -> Key:
        """Return a whole key.

        Raises:
            InvalidArgument: It has too few or too many values, or a wrong name.
        """
        names = self.partition + self.clustering
        values = self._values(key, names)
        if len(values) != len(names):
            raise InvalidArgument(
                f"a key of {self.info.name} has {len(names)} values ({', '.join(names)}), but "
                f"{len(values)} were given"
            )
        count = len(self.partition)
        return Key(values[:count], values[count:])

    def partition_values(self, partition: KeyLike) -> tuple[KeyValue, ...]:
        """Return the values of a partition key.

        Raises:
            InvalidArgument: It has too few or too many values, or a wrong name.
        """
        values = self._values(partition, self.partition)
        if len(values) != len(self.partition):
            raise InvalidArgument(
                f"a partition of {self.info.name} has {len(self.partition)} values "
                f"({', '.join(self.partition)}), but {len(values)} were given"
            )
        return values

    def range(
        self,
        start: KeyLike | None,
        end: KeyLike | None,
        *,
        start_exclusive: bool,
        end_exclusive: bool,
    ) -> ClusteringRange:
        """Return a range between two prefixes of the clustering values."""
        return ClusteringRange(
            None if start is None else Bound(self._prefix(start), start_exclusive),
            None if end is None else Bound(self._prefix(end), end_exclusive),
        )

    def columns(self, columns: Mapping[str, Value]) -> dict[str, Value]:
        """Return columns outside the key, with values of the types that the table declares.

        Raises:
            InvalidArgument: The table has no such column; the message names the nearest one.
        """
        converted: dict[str, Value] = {}
        for name, value in columns.items():
            if name not in self._convert:
                raise self._unknown(name, self._convert)
            convert = self._convert[name]
            if convert is None or value is None:
                converted[name] = value
                continue
            try:
                converted[name] = cast(Value, convert(value))
            except (TypeError, ValueError, OverflowError) as error:
                raise InvalidArgument(
                    f"column {name} of {self.info.name} does not take this value: {error}"
                ) from error
        return converted

    def row(self, row: Mapping[str, Value]) -> tuple[Key, dict[str, Value]]:
        """Split a row into its key and its other columns.

        Raises:
            InvalidArgument: A key column is missing, or a column is unknown.
        """
        names = self.partition + self.clustering
        missing = [name for name in names if name not in row]
        if missing:
            raise InvalidArgument(
                f"a row of {self.info.name} lacks its key column {', '.join(missing)}"
            )
        key = self.key(tuple(cast(KeyValue, row[name]) for name in names))
        return key, self.columns({k: v for k, v in row.items() if k not in names})

    def mapping(self, key: Key, columns: Mapping[str, Value]) -> dict[str, Value]:
        """Return a row as one mapping, key columns first."""
        names = self.partition + self.clustering
        values: tuple[Value, ...] = key.partition + key.clustering
        return {**dict(zip(names, values, strict=True)), **columns}

    def _prefix(self, bound: KeyLike) -> tuple[KeyValue, ...]:
        return self._values(bound, self.clustering)

    def _values(self, key: KeyLike, names: tuple[str, ...]) -> tuple[KeyValue, ...]:
        if isinstance(key, Mapping):
            for name in key:
                if name not in names:
                    raise self._unknown(name, names)
            given = [name for name in names if name in key]
            if tuple(given) != names[: len(given)]:
                raise InvalidArgument(
                    f"a key of {self.info.name} skips a value: it is {', '.join(names)} in order"
                )
            return tuple(key[name] for name in given)
        return key if isinstance(key, tuple) else (key,)

    def _unknown(self, name: str, known: Iterable[str]) -> InvalidArgument:
        names = list(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
        return InvalidArgument(
            f"table {self.info.name} has no such column here: {name!r}; {hint}",
            details={"table": self.info.name, "column": name},
        )
