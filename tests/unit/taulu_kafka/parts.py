"""Records, logs and tables for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass, field

from taulu.model import Column, ColumnType, Kind, Table, TypeName
from taulu_kafka._driver import Fetched, Place
from taulu_kafka.scan import Counted, NeedsEarlier, Scan
from taulu_kafka.stamp import LOOK_BACK_MAX, Stamp, write_stamp

PLACE = Place("audit.events", 0)

_STRING = ColumnType(TypeName.STRING)
TABLE = Table(
    "audit",
    "events",
    Kind.LOG,
    (Column("source", _STRING),),
    columns=(
        Column("flag", ColumnType(TypeName.BOOL)),
        Column("count", ColumnType(TypeName.INT64)),
        Column("ratio", ColumnType(TypeName.FLOAT64)),
        Column("price", ColumnType(TypeName.DECIMAL)),
        Column("text", _STRING),
        Column("blob", ColumnType(TypeName.BYTES)),
        Column("at", ColumnType(TypeName.TIMESTAMP)),
        Column("ref", ColumnType(TypeName.UUID)),
        Column("point", ColumnType(TypeName.VECTOR, size=3)),
        Column("tags", ColumnType(TypeName.LIST, element=_STRING)),
        Column("prices", ColumnType(TypeName.MAP, element=ColumnType(TypeName.DECIMAL))),
    ),
    log_partitions=4,
)


def record(
    offset: int, stamp: Stamp | None = None, *, time_ms: int = 0, value: bytes = b"{}"
) -> Fetched:
    """Return a record as it was fetched."""
    headers = () if stamp is None else write_stamp(stamp, "1:00000000")
    return Fetched(PLACE, offset, time_ms, b"", value, headers)


@dataclass
class Log:
    """One partition, read as `Walk` reads it."""

    records: list[Fetched] = field(default_factory=list)
    low: int = 0

    def append(self, stamp: Stamp | None) -> int:
        """Put a record at the end; return its offset."""
        self.records.append(record(len(self.records), stamp))
        return len(self.records) - 1

    def counted(self, start: int, look_back: int = 0) -> list[Counted]:
        """Return what counts from an offset on, whatever is looked at before it at first."""
        while True:
            base = max(self.low, start - look_back)
            scan = Scan(base, start, self.low)
            try:
                judged = [scan.judge(one) for one in self.records[base:]]
            except NeedsEarlier as needed:
                assert needed.offset < base  # noqa: PT017 - what is asked for lies before
                assert look_back < LOOK_BACK_MAX
                look_back = start - needed.offset
            else:
                return [one for one in judged if one is not None]
