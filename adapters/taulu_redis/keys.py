"""Names of Redis keys: readable, and all that one unit touches in one hash slot.

`taulu:{refunds.decisions:17}:rows:c-42` is the hash of the rows of partition `c-42` of table
`refunds.decisions`, whose partitions are spread over buckets; this one is in bucket 17. Redis
Cluster places a key by what stands between its first braces. The format is stored, and pinned
by tests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import cast
from urllib.parse import unquote
from uuid import UUID

from taulu.model import Column, Corrupt, KeyValue, Partition, Table, TypeName

_SEPARATOR = "/"
_ESCAPED = re.compile(r"[%/\x00-\x20\x7f]")


def timestamp_text(value: datetime) -> str:
    """Spell a moment with all its microseconds, so that equal moments are spelled alike."""
    text = value.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", text)


_SPELL: dict[TypeName, Callable[[KeyValue], str]] = {
    TypeName.BOOL: lambda value: "true" if value else "false",
    TypeName.INT64: str,
    TypeName.TIMESTAMP: lambda value: timestamp_text(cast(datetime, value)),
    TypeName.UUID: str,
    TypeName.STRING: lambda value: _escape(cast(str, value)),
    TypeName.BYTES: lambda value: cast(bytes, value).hex(),
}

_READ: dict[TypeName, Callable[[str], KeyValue]] = {
    TypeName.BOOL: lambda text: text == "true",
    TypeName.INT64: int,
    TypeName.TIMESTAMP: datetime.fromisoformat,
    TypeName.UUID: UUID,
    TypeName.STRING: lambda text: unquote(text, errors="strict"),
    TypeName.BYTES: bytes.fromhex,
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one partition is kept."""

    tag: str
    """The part of every key that decides the hash slot, with its braces."""
    name: str
    """The partition key as text."""

    def key(self, what: str) -> bytes:
        """Return the key of one of the partition's structures."""
        return f"taulu:{self.tag}:{what}:{self.name}".encode()

    def shared(self, what: str) -> bytes:
        """Return the key of a structure that the partitions of a bucket share."""
        return f"taulu:{self.tag}:{what}".encode()

    def token(self, nonce: str) -> bytes:
        """Return the key that remembers an idempotency token."""
        return f"taulu:{self.tag}:token:{nonce}".encode()


@dataclass(frozen=True)
class Spots:
    """Finds the place of every partition of one table."""

    table: Table
    buckets: int

    @property
    def description(self) -> bytes:
        """The key under which the table's description is kept."""
        return f"taulu:{{{self.table.full_name}}}:table".encode()

    @cached_property
    def _types(self) -> tuple[TypeName, ...]:
        return tuple(column.type.name for column in self.table.partition_key)

    def of(self, partition: Partition) -> Spot:
        """Return the place of a partition."""
        name = spell_key(self.table.partition_key, partition)
        return self.named(name, bucket_of(name, self.buckets))

    def named(self, name: str, bucket: int) -> Spot:
        """Return the place of a partition whose name and bucket are known."""
        return Spot(f"{{{self.table.full_name}:{bucket}}}", name)

    def bucket(self, bucket: int) -> Spot:
        """Return a bucket as a place, for what its partitions share."""
        return self.named("", bucket)

    def partition(self, name: str) -> Partition:
        """Return the values of a partition key from its text.

        Raises:
            Corrupt: The text is none of this table.
        """
        return read_key(self.table.full_name, self._types, name)


def bucket_of(name: str, buckets: int) -> int:
    """Return the bucket of a partition."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % buckets


def spell_key(columns: tuple[Column, ...], values: Partition) -> str:
    """Spell key values so that different values are spelled differently."""
    return _SEPARATOR.join(
        _SPELL[column.type.name](value) for column, value in zip(columns, values, strict=True)
    )


def read_key(table: str, types: tuple[TypeName, ...], name: str) -> Partition:
    """Return the values that `spell_key` spelled.

    Raises:
        Corrupt: The text is no such key.
    """
    parts = name.split(_SEPARATOR)
    try:
        return tuple(_READ[kind](part) for kind, part in zip(types, parts, strict=True))
    except ValueError as error:
        raise Corrupt(
            f"a stored key of {table} cannot be read: {error}",
            details={"table": table, "key": name},
        ) from error
