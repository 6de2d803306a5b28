"""No row is larger than its table allows."""

from __future__ import annotations

from collections.abc import Mapping

from taulu.codec import RowCodec
from taulu.model.errors import LimitExceeded
from taulu.model.operation import CounterChange, NewRecord, Put, Update, WriteUnit
from taulu.model.table import Table
from taulu.model.value import Value
from taulu.policy.screen import Check

KEY_BYTES_MAX = 1024
"""Of all string and bytes values of one key together; stores slow down on long keys."""


class RowBytes(Check):
    """Measures columns in the stored format, and the parts of keys that can be long.

    An update is measured by what it sets, not by the row that it makes.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._codec = RowCodec(table)

    def unit(self, unit: WriteUnit) -> WriteUnit:
        """Measure every row that a unit writes."""
        for mutation in unit.mutations:
            if isinstance(mutation, Put | Update):
                self._check_columns(mutation.columns)
                self._check_key((*mutation.key.partition, *mutation.key.clustering))
        return unit

    def change(self, change: CounterChange) -> CounterChange:
        """Measure the key of a counter, which its first change makes."""
        self._check_key((*change.key.partition, *change.key.clustering))
        return change

    def record(self, record: NewRecord) -> NewRecord:
        """Measure a log record."""
        self._check_columns(record.columns)
        self._check_key(record.key)
        return record

    def _check_columns(self, columns: Mapping[str, Value]) -> None:
        size = len(self._codec.encode(columns))
        if size > self.table.limits.row_bytes:
            advice = "make it smaller, or raise the limit in the table's YAML"
            raise self._exceeded(("row", "row_bytes"), size, self.table.limits.row_bytes, advice)

    def _check_key(self, values: tuple[object, ...]) -> None:
        size = sum(
            len(value.encode()) if isinstance(value, str) else len(value)
            for value in values
            if isinstance(value, str | bytes)
        )
        if size > KEY_BYTES_MAX:
            advice = "no table takes longer ones; keep the text in a column and a digest in the key"
            raise self._exceeded(("key", "key_bytes"), size, KEY_BYTES_MAX, advice)

    def _exceeded(
        self, what: tuple[str, str], sent: int, allowed: int, advice: str
    ) -> LimitExceeded:
        noun, limit = what
        return LimitExceeded(
            f"a {noun} of {sent} bytes is larger than {self.table.full_name} allows "
            f"({limit} {allowed}); {advice}",
            details={
                "table": self.table.full_name,
                "limit": limit,
                "value": str(allowed),
                "sent": str(sent),
            },
        )
