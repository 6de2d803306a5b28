"""Entries as bytes, for the shared tier."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import msgspec

from taulu.cache.entry import Cached, Entry
from taulu.codec import KeyCodec, RowCodec
from taulu.model.clock import Clock
from taulu.model.consistency import Facts, Level
from taulu.model.errors import Corrupt
from taulu.model.result import Absent, RowPage
from taulu.model.row import Row
from taulu.model.table import Table

_FORMAT = 1
_SHAPE_BYTES = 8


class _StoredRow(msgspec.Struct, array_like=True, frozen=True):
    partition: bytes
    clustering: bytes
    columns: bytes
    version: int
    expire_us: int | None


class _StoredEntry(msgspec.Struct, array_like=True, frozen=True):
    format: int
    version: int
    as_of_us: int
    landed_us: int
    keep_until_us: int
    rows: list[_StoredRow]
    page_token: str | None
    """The token of the next page, for a page; None for a row, or its absence."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_StoredEntry)


@dataclass(frozen=True)
class EntryCodec:
    """Turns the entries of one table into bytes and back. Made once per table, at load."""

    table: Table
    clock: Clock
    skew_s: float
    """How far the clock of the gateway that filled the tier may lie from ours."""

    @cached_property
    def _keys(self) -> KeyCodec:
        return KeyCodec(self.table)

    @cached_property
    def _rows(self) -> RowCodec:
        return RowCodec(self.table)

    @cached_property
    def shape(self) -> bytes:
        """What entries of this table hold, and for how long.

        Two gateways whose YAML agrees in that have the same. An entry of another shape may lack
        a column that was written since.
        """
        policy = self.table.cache
        columns = sorted((column.name, str(column.type)) for column in self.table.columns)
        kept = policy and (sorted(policy.columns), policy.ttl_us, policy.negative_ttl_us)
        parts = (columns, kept)
        return hashlib.blake2b(repr(parts).encode(), digest_size=_SHAPE_BYTES).digest()

    def encode(self, entry: Entry) -> bytes:
        """Return an entry as bytes."""
        left_s = entry.keep_until_s - self.clock.monotonic()
        return _encoder.encode(
            _StoredEntry(
                _FORMAT,
                entry.version,
                entry.as_of_us,
                entry.landed_us,
                self.clock.now_us() + int(left_s * 1e6),
                [self._stored(row) for row in entry.rows()],
                entry.value.next_token if isinstance(entry.value, RowPage) else None,
            )
        )

    def decode(self, data: bytes) -> Entry:
        """Return the entry of these bytes, on this worker's clock.

        Raises:
            Corrupt: The bytes are no entry of this table.
        """
        try:
            stored = _decoder.decode(data)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Corrupt(
                f"the shared cache holds what is no entry of {self.table.full_name}: {error}",
                details={"table": self.table.full_name},
            ) from error
        now_s, now_us = self.clock.monotonic(), self.clock.now_us()
        return Entry(
            value=self._value(stored),
            version=stored.version,
            as_of_us=stored.as_of_us,
            landed_us=stored.landed_us,
            began_s=now_s - (now_us - stored.as_of_us) / 1e6 - self.skew_s,
            keep_until_s=now_s + (stored.keep_until_us - now_us) / 1e6 - self.skew_s,
            data_bytes=len(data),
        )

    def useful_s(self, entry: Entry) -> float:
        """Return for how long other gateways will serve an entry, in seconds.

        Past that the tier must not have it: it would be given out, refused, and in the way of
        the lease that lets one gateway load for all.
        """
        left_s = entry.keep_until_s - self.clock.monotonic() - self.skew_s
        ends_us = [row.expire_us for row in entry.rows() if row.expire_us is not None]
        if not ends_us:
            return left_s
        return min(left_s, (min(ends_us) - self.clock.now_us()) / 1e6)

    def row_bytes(self, row: Row) -> int:
        """Return how many bytes a row takes, encoded."""
        return len(self._rows.encode(row.columns))

    def _stored(self, row: Row) -> _StoredRow:
        return _StoredRow(
            self._keys.partition(row.key.partition),
            self._keys.clustering(row.key.clustering),
            self._rows.encode(row.columns),
            row.version,
            row.expire_us,
        )

    def _row(self, stored: _StoredRow) -> Row:
        return Row(
            self._keys.key(stored.partition, stored.clustering),
            self._rows.decode(stored.columns),
            stored.version,
            stored.expire_us,
        )

    def _value(self, stored: _StoredEntry) -> Cached:
        if stored.format != _FORMAT:
            raise Corrupt(
                f"the shared cache holds an entry of {self.table.full_name} in format "
                f"{stored.format}; it was written by another release of Taulu",
                details={"table": self.table.full_name},
            )
        rows = tuple(self._row(row) for row in stored.rows)
        if stored.page_token is not None:
            facts = Facts(Level.QUORUM, stored.version, stored.as_of_us)
            return RowPage(rows, facts, next_token=stored.page_token)
        return rows[0] if rows else Absent()
