"""What of one table a client may cache, and for whom."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from taulu.cache.demand import CACHED_LEVELS, has_columns
from taulu.cache.near import Place
from taulu.codec import KeyCodec
from taulu.model.consistency import Consistency, Level
from taulu.model.errors import Unsupported
from taulu.model.row import Partition
from taulu.model.table import Column, Kind, Table
from taulu.model.value import ColumnType, TypeName
from taulu_client.shape import Shape
from taulu_client.table_info import CacheInfo, TableInfo

_FITS: dict[TypeName, Callable[[object], bool]] = {
    TypeName.BOOL: lambda value: isinstance(value, bool),
    # True is no 1, and must not be answered with its row.
    TypeName.INT64: lambda value: isinstance(value, int) and not isinstance(value, bool),
    TypeName.STRING: lambda value: isinstance(value, str),
    TypeName.BYTES: lambda value: isinstance(value, bytes),
    TypeName.TIMESTAMP: lambda value: isinstance(value, datetime) and value.tzinfo is not None,
    TypeName.UUID: lambda value: isinstance(value, UUID),
}


_WRITE_ORDER = "write_order"
"""The capability of stores that order the writes of each row by their versions."""
_NOTHING = CacheInfo((), timedelta(0), timedelta(0), timedelta(0))


@dataclass(frozen=True)
class CachePlan:
    """Compiled from a table's description."""

    info: TableInfo

    @cached_property
    def shape(self) -> Shape:
        """The table's columns."""
        return Shape(self.info)

    def check(self) -> None:
        """Refuse a table that a client cannot cache.

        Raises:
            Unsupported: It is of another kind, or has no cache policy.
        """
        name = self.info.name
        if self.info.kind != Kind.KV.value:
            raise Unsupported(
                f"{name} is of kind {self.info.kind}, and a client caches rows of kv tables only; "
                "use client.table"
            )
        if self.info.cache is None:
            raise Unsupported(
                f"{name} has no `cache` in its YAML, so a client must not cache it either; add "
                "one, or use client.table"
            )

    @property
    def policy(self) -> CacheInfo:
        """The table's cache policy; one that keeps nothing when it has none any more."""
        return self.info.cache or _NOTHING

    @property
    def is_ordered(self) -> bool:
        """Whether a row of a session's version shows all that the session saw of it."""
        return _WRITE_ORDER in self.info.capabilities

    @cached_property
    def _codec(self) -> KeyCodec:
        namespace, _, name = self.info.name.partition(".")
        columns = tuple(
            Column(column.name, ColumnType(TypeName(column.type)))
            for column in self.info.columns
            if column.role == "partition"
        )
        return KeyCodec(Table(namespace, name, Kind.KV, columns))

    @cached_property
    def _fits(self) -> tuple[Callable[[object], bool], ...]:
        return tuple(_FITS[c.type.name] for c in self._codec.table.partition_key)

    def place(self, partition: Partition) -> Place | None:
        """Return where a row is kept; None when its key is none, for the gateway to refuse."""
        if not all(fits(value) for fits, value in zip(self._fits, partition, strict=True)):
            return None
        try:
            return Place(self.info.name, self._codec.partition(partition))
        except (ValueError, struct.error):
            return None

    def filled(self, asked: Consistency) -> Consistency:
        """Return what is asked with the table's own level and bound where none is named."""
        level = asked.level or self.info.read_level
        if level is not Level.BOUNDED_STALENESS or asked.staleness_us_max:
            return replace(asked, level=level)
        bound = self.info.max_staleness
        # Without any, the gateway says what is wrong.
        bound_us = None if bound is None else round(bound.total_seconds() * 1e6)
        return replace(asked, level=level, staleness_us_max=bound_us)

    def serves(self, wanted: Consistency, columns: Sequence[str]) -> bool:
        """Whether a read may be served from the client's cache."""
        if wanted.level not in CACHED_LEVELS or self.info.cache is None:
            return False
        if wanted.level is Level.BOUNDED_STALENESS and wanted.staleness_us_max is None:
            return False
        return has_columns(self.policy.columns, columns)
