"""Records of one table as Kafka messages and back.

The message's key is the encoded key, which chooses the partition; its value is one JSON object
of all columns, those of the key included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import msgspec

from taulu.codec import KeyCodec, log_partition
from taulu.model import Corrupt, LogRecord, NewRecord, Table
from taulu.model.value import KeyValue, Value
from taulu_kafka._driver import Fetched, Place
from taulu_kafka.scan import Counted
from taulu_kafka.stamp import token_digest
from taulu_kafka.values import Convert, reader, writer

_FORMAT = 1
_EFFECT_BYTES = 16
_SCHEMA_BYTES = 4

_encoder = msgspec.json.Encoder()
_ordered = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(dict[str, object])


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that is ready to be sent."""

    place: Place
    key: bytes
    value: bytes
    token: str
    digest: bytes
    effect: str
    """What the token stands for; equal effects, and only they, have equal ones."""


@dataclass(frozen=True)
class RecordCodec:
    """Writes and reads the records of one table. Made once per table, at load."""

    table: Table
    topic: str

    @cached_property
    def keys(self) -> KeyCodec:
        """How keys are written."""
        return KeyCodec(self.table)

    @cached_property
    def schema(self) -> str:
        """The format's number and a digest of the columns, for whoever reads the headers."""
        columns = [(c.name, str(c.type)) for c in (*self.table.partition_key, *self.table.columns)]
        digest = hashlib.blake2b(_ordered.encode(columns), digest_size=_SCHEMA_BYTES)
        return f"{_FORMAT}:{digest.hexdigest()}"

    @cached_property
    def _writers(self) -> dict[str, Convert]:
        columns = (*self.table.partition_key, *self.table.columns)
        found = {column.name: writer(column.type) for column in columns}
        return {name: convert for name, convert in found.items() if convert is not None}

    @cached_property
    def _readers(self) -> dict[str, Convert]:
        return {column.name: reader(column.type) for column in self.table.columns}

    @cached_property
    def _key_readers(self) -> tuple[tuple[str, Convert], ...]:
        return tuple((column.name, reader(column.type)) for column in self.table.partition_key)

    def draft(self, record: NewRecord) -> Draft:
        """Write a record."""
        key = self.keys.partition(record.key)
        names = (column.name for column in self.table.partition_key)
        columns: dict[str, object] = dict(zip(names, record.key, strict=True))
        columns.update((k, v) for k, v in record.columns.items() if v is not None)
        for name, convert in self._writers.items():
            if name in columns:
                columns[name] = convert(columns[name])
        effect = hashlib.blake2b(_ordered.encode(columns), digest_size=_EFFECT_BYTES)
        nonce = record.token.nonce
        place = Place(self.topic, log_partition(key, self.table.log_partitions))
        value = _encoder.encode(columns)
        return Draft(place, key, value, nonce, token_digest(nonce), effect.hexdigest())

    def read(self, counted: Counted) -> LogRecord:
        """Read a record.

        Raises:
            Corrupt: It is no record of this table; `details` has where to go on.
        """
        message = counted.record
        try:
            stored = _decoder.decode(message.value)
            columns = {
                name: convert(stored[name])
                for name, convert in self._readers.items()
                if stored.get(name) is not None
            }
            key = self._key(counted, stored)
        except (msgspec.DecodeError, ValueError, ArithmeticError, KeyError) as error:
            raise self._corrupt(message, error) from error
        return LogRecord(
            message.place.partition,
            message.offset,
            counted.time_us,
            key,
            cast("Mapping[str, Value]", columns),
        )

    def _key(self, counted: Counted, stored: Mapping[str, object]) -> tuple[KeyValue, ...]:
        if counted.stamp is not None or not all(name in stored for name, _ in self._key_readers):
            return self.keys.key(counted.record.key).partition
        # Other producers have keys of their own; what they mean stands in the value.
        values = tuple(convert(stored[name]) for name, convert in self._key_readers)
        return cast("tuple[KeyValue, ...]", values)

    def _corrupt(self, message: Fetched, error: Exception) -> Corrupt:
        return Corrupt(
            f"record {message.offset} of partition {message.place.partition} of topic "
            f"{message.place.topic} is no record of {self.table.full_name}: {error}; read on from "
            f"offset {message.offset + 1}",
            details={
                "table": self.table.full_name,
                "partition": str(message.place.partition),
                "offset": str(message.offset),
                "next_offset": str(message.offset + 1),
            },
        )
