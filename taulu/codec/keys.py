"""Order-preserving bytes for key values: comparing the bytes compares the keys.

The format is stored on disk and pinned by tests. Each value takes the bytes of its type,
self-delimiting, so that a prefix of the values has a prefix of the bytes:

- bool: one byte, 0 or 1.
- int64 and timestamp (microseconds since 1970): 8 bytes, big-endian, sign bit flipped.
- uuid: its 16 bytes.
- string (UTF-8) and bytes: the bytes with 00 written as 00 FF, then 00 01.

A descending column has every byte inverted. The escape of 00 is that of FoundationDB's
tuple layer; the terminator differs so that it also orders when inverted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import cast
from uuid import UUID

from taulu.model.errors import Corrupt
from taulu.model.row import Key, Partition
from taulu.model.table import Table
from taulu.model.value import KeyValue, TypeName

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIGN = 1 << 63
_U64 = struct.Struct(">Q")
_INVERT = bytes(255 - byte for byte in range(256))
_END = b"\x00\x01"
_ESCAPED = b"\x00\xff"


def timestamp_to_us(value: datetime) -> int:
    """Return microseconds since 1970 of an aware datetime, exactly."""
    return (value - _EPOCH) // _MICROSECOND


def timestamp_from_us(value_us: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970, exactly."""
    return _EPOCH + timedelta(microseconds=value_us)


def _encode_int(value: int) -> bytes:
    return _U64.pack(value + _SIGN)


def _encode_bytes(value: bytes) -> bytes:
    return value.replace(b"\x00", _ESCAPED) + _END


_ENCODERS: dict[TypeName, Callable[[KeyValue], bytes]] = {
    TypeName.BOOL: lambda value: b"\x01" if value else b"\x00",
    TypeName.INT64: lambda value: _encode_int(cast(int, value)),
    TypeName.TIMESTAMP: lambda value: _encode_int(timestamp_to_us(cast(datetime, value))),
    TypeName.UUID: lambda value: cast(UUID, value).bytes,
    TypeName.STRING: lambda value: _encode_bytes(cast(str, value).encode()),
    TypeName.BYTES: lambda value: _encode_bytes(cast(bytes, value)),
}

_WIDTHS = {TypeName.BOOL: 1, TypeName.INT64: 8, TypeName.TIMESTAMP: 8, TypeName.UUID: 16}

_DECODERS: dict[TypeName, Callable[[bytes], KeyValue]] = {
    TypeName.BOOL: lambda data: data == b"\x01",
    TypeName.INT64: lambda data: int(_U64.unpack(data)[0]) - _SIGN,
    TypeName.TIMESTAMP: lambda data: timestamp_from_us(int(_U64.unpack(data)[0]) - _SIGN),
    TypeName.UUID: lambda data: UUID(bytes=data),
    TypeName.STRING: lambda data: data.decode(),
    TypeName.BYTES: lambda data: data,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """How one key column is written."""

    type: TypeName
    descending: bool

    def encode(self, value: KeyValue) -> bytes:
        data = _ENCODERS[self.type](value)
        return data.translate(_INVERT) if self.descending else data

    def decode(self, data: bytes, at: int) -> tuple[KeyValue, int]:
        """Read one value from `data` at an offset; return it and the offset after it."""
        width = _WIDTHS.get(self.type)
        if width is None:
            raw, after = self._delimited(data, at)
        else:
            after = at + width
            raw = data[at:after]
            if len(raw) < width:
                raise ValueError("the key ends inside a value")
            if self.descending:
                raw = raw.translate(_INVERT)
        return _DECODERS[self.type](raw), after

    def _delimited(self, data: bytes, at: int) -> tuple[bytes, int]:
        end, zero = (_END.translate(_INVERT), 0xFF) if self.descending else (_END, 0x00)
        stop = at
        while True:
            stop = data.index(zero, stop)
            if data[stop : stop + 2] == end:
                break
            stop += 2
        raw = data[at:stop]
        if self.descending:
            raw = raw.translate(_INVERT)
        return raw.replace(_ESCAPED, b"\x00"), stop + 2


@dataclass(frozen=True)
class KeyCodec:
    """Turns the keys of one table into bytes and back. Made once per table, at load."""

    table: Table

    @cached_property
    def _partition(self) -> tuple[_Part, ...]:
        return tuple(
            _Part(column.type.name, descending=False) for column in self.table.partition_key
        )

    @cached_property
    def _clustering(self) -> tuple[_Part, ...]:
        return tuple(_Part(c.column.type.name, c.descending) for c in self.table.clustering_key)

    def partition(self, values: Sequence[KeyValue]) -> bytes:
        """Encode partition key values, or a prefix of them."""
        return b"".join(part.encode(v) for part, v in zip(self._partition, values, strict=False))

    def clustering(self, values: Sequence[KeyValue]) -> bytes:
        """Encode clustering values, or a prefix of them; byte order is declared order."""
        return b"".join(part.encode(v) for part, v in zip(self._clustering, values, strict=False))

    def key(self, partition: bytes, clustering: bytes = b"") -> Key:
        """Decode a key.

        Raises:
            Corrupt: The bytes are no key of this table.
        """
        return Key(
            self._values(self._partition, partition), self._values(self._clustering, clustering)
        )

    def partition_of(self, partition: bytes) -> Partition:
        """Decode partition key values.

        Raises:
            Corrupt: The bytes are no partition key of this table.
        """
        return self._values(self._partition, partition)

    def _values(self, parts: tuple[_Part, ...], data: bytes) -> tuple[KeyValue, ...]:
        values: list[KeyValue] = []
        at = 0
        try:
            for part in parts:
                value, at = part.decode(data, at)
                values.append(value)
        except (ValueError, OverflowError) as error:
            raise Corrupt(
                f"a stored key of {self.table.full_name} cannot be decoded: {error}",
                details={"table": self.table.full_name, "key": data.hex()},
            ) from error
        if at != len(data):
            raise Corrupt(
                f"a stored key of {self.table.full_name} has {len(data) - at} bytes too many",
                details={"table": self.table.full_name, "key": data.hex()},
            )
        return tuple(values)


def prefix_end(prefix: bytes) -> bytes | None:
    """Return the first bytes after everything that begins with `prefix`; None if there are none."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return None
    return stripped[:-1] + bytes([stripped[-1] + 1])
