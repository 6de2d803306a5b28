"""Scans: bucket by bucket, in the order of the index of each.

A bucket's index is a sorted set of the names of its partitions. A name enters it with the first
row and leaves it with the last, in the same script as the row; so whoever goes through it in order
meets everything that stays, once.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from taulu.model import Absent, Corrupt, Failed, Key, Kind, Row, ScanRows, TauluError
from taulu_redis._driver import Reply
from taulu_redis.calls import Command
from taulu_redis.keys import Spot, bucket_of
from taulu_redis.reading import (
    PageOfRows,
    Reading,
    fields_of,
    page_of,
    query_command,
    read_row,
    refuse_position,
)
from taulu_redis.scripts import FORGET_GONE

_SCAN_MARK = b"\x02"
_HEAD = struct.Struct(">HH")
_NAMES_MAX = 64
"""How many names of one bucket are read at once."""
_BUCKETS_MAX = 64
"""How many buckets are looked into at once."""
_PARTITIONS_MAX = 32
"""How many partitions are read at once."""
_ROWS_MAX = 100
_BYTES_MAX = 64 * 1024
"""How much of each of them."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row on the way to a page."""

    bucket: int
    name: str
    clustering: bytes
    row: Row
    size: int

    @property
    def position(self) -> bytes:
        """The page position behind the row."""
        name = self.name.encode()
        return _SCAN_MARK + _HEAD.pack(self.bucket, len(name)) + name + self.clustering


_Partition = tuple[int, str]
"""The bucket and the name of a partition."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One page of one segment."""

    reading: Reading
    operation: ScanRows

    async def page(self) -> PageOfRows:
        """Take rows until the page is full."""
        page = self.operation.page
        rows: list[Row] = []
        bytes_taken = 0
        last: _Entry | None = None
        async with aclosing(self._entries()) as entries:
            async for entry in entries:
                bytes_taken += entry.size
                is_full = len(rows) >= page.rows_max or bytes_taken > page.bytes_max
                if last is not None and is_full:
                    return tuple(rows), last.position
                rows.append(entry.row)
                last = entry
        return tuple(rows), b""

    async def _entries(self) -> AsyncGenerator[_Entry]:
        """Yield the rows behind the page position, in order."""
        is_kv = self.reading.layout.table.kind is Kind.KV
        buckets, name, clustering = self._behind()
        if name is not None and not is_kv:
            async for entry in self._rest_of((buckets.start, name), clustering):
                yield entry
        async with aclosing(self._partitions(buckets, name)) as found:
            async for partitions in found:
                read = self._kv_rows if is_kv else self._wide_rows
                async with aclosing(read(partitions)) as entries:
                    async for entry in entries:
                        yield entry

    def _behind(self) -> tuple[range, str | None, bytes]:
        """Return the buckets that are left, and behind which row of the first of them to begin."""
        layout, position = self.reading.layout, self.operation.page.position
        count, parts = layout.spots.buckets, self.operation.segment_count
        segment = self.operation.segment
        buckets = range(segment * count // parts, (segment + 1) * count // parts)
        if not position:
            return buckets, None, b""
        head_end = 1 + _HEAD.size
        if position[:1] != _SCAN_MARK or len(position) < head_end:
            refuse_position(layout)
        bucket, length = _HEAD.unpack(position[1:head_end])
        try:
            name = position[head_end : head_end + length].decode()
            clustering = position[head_end + length :]
            partition = layout.keys.partition(layout.spots.partition(name))
            layout.keys.key(partition, clustering)
        except (Corrupt, UnicodeDecodeError):
            refuse_position(layout)
        if bucket not in buckets or bucket != bucket_of(name, count):
            refuse_position(layout)
        return range(bucket, buckets.stop), name, clustering

    async def _partitions(
        self, buckets: range, behind: str | None
    ) -> AsyncGenerator[Sequence[_Partition]]:
        """Yield partitions in order; the more buckets at once, the emptier they are."""
        bucket, at_once = buckets.start, 1
        low = b"-" if behind is None else b"(" + behind.encode()
        while bucket < buckets.stop:
            asked = range(bucket, min(bucket + at_once, buckets.stop))
            commands = [self._index(asked.start, low)]
            commands += [self._index(other, b"-") for other in asked[1:]]
            answers = await self.reading.calls.run(commands, self.reading.wish)
            found: list[_Partition] = []
            for bucket, answer in zip(asked, answers, strict=True):
                if isinstance(answer, TauluError):
                    raise answer
                names = cast("list[bytes]", answer)
                found += [(bucket, name.decode()) for name in names]
                if len(names) == _NAMES_MAX:
                    low = b"(" + names[-1]
                    break
            else:
                bucket, low = asked.stop, b"-"
                at_once = min(at_once * 2, _BUCKETS_MAX)
            for at in range(0, len(found), _PARTITIONS_MAX):
                yield found[at : at + _PARTITIONS_MAX]

    def _index(self, bucket: int, low: bytes) -> Command:
        key = self.reading.layout.spots.bucket(bucket).shared("index")
        return Command(key, ("ZRANGEBYLEX", key, low, "+", "LIMIT", 0, _NAMES_MAX))

    def _spot(self, partition: _Partition) -> Spot:
        bucket, name = partition
        return self.reading.layout.spots.named(name, bucket)

    async def _kv_rows(self, partitions: Sequence[_Partition]) -> AsyncGenerator[_Entry]:
        wanted = self.operation.columns
        answers = await self.reading.calls.run(
            [read_row(self._spot(partition), wanted) for partition in partitions],
            self.reading.wish,
        )
        gone: list[_Partition] = []
        for partition, answer in zip(partitions, answers, strict=True):
            bucket, name = partition
            key = Key(self.reading.layout.spots.partition(name))
            outcome = self.reading.row_outcome(key, answer, wanted)
            if isinstance(outcome, Failed):
                raise outcome.error
            if isinstance(outcome, Absent):
                gone.append(partition)
            else:
                size = len(name) + _size(answer, wanted)
                yield _Entry(bucket, name, b"", outcome, size)
        await self._forget(gone, "row")

    async def _wide_rows(self, partitions: Sequence[_Partition]) -> AsyncGenerator[_Entry]:
        answers = await self.reading.calls.run(
            [self._stretch(partition, b"-") for partition in partitions], self.reading.wish
        )
        gone: list[_Partition] = []
        for partition, answer in zip(partitions, answers, strict=True):
            if isinstance(answer, TauluError):
                raise answer
            places, stored, has_more = page_of(answer)
            for place, data in zip(places, stored, strict=True):
                yield self._entry(partition, place, data)
            if has_more:
                async for entry in self._rest_of(partition, places[-1]):
                    yield entry
            elif not places:
                gone.append(partition)
        await self._forget(gone, "order")

    async def _rest_of(self, partition: _Partition, clustering: bytes) -> AsyncGenerator[_Entry]:
        """Yield the rows of a partition behind one of them."""
        has_more = True
        while has_more:
            command = self._stretch(partition, b"(" + clustering)
            answer = await self.reading.calls.one(command, self.reading.wish)
            places, stored, has_more = page_of(answer)
            for place, data in zip(places, stored, strict=True):
                yield self._entry(partition, place, data)
                clustering = place

    def _stretch(self, partition: _Partition, low: bytes) -> Command:
        limits = (self.reading.now_us, _ROWS_MAX, _BYTES_MAX)
        return query_command(self._spot(partition), (low, b"+", "0"), limits)

    def _entry(self, partition: _Partition, place: bytes, data: bytes) -> _Entry:
        bucket, name = partition
        layout = self.reading.layout
        key = layout.keys.key(layout.keys.partition(layout.spots.partition(name)), place)
        row = self.reading.wide_row(key, data, self.operation.columns)
        return _Entry(bucket, name, place, row, len(name) + len(place) + len(data))

    async def _forget(self, partitions: Sequence[_Partition], what: str) -> None:
        """Take out of the indexes what Redis has dropped by itself; the script looks again."""
        names: dict[int, list[str]] = {}
        for bucket, name in partitions:
            names.setdefault(bucket, []).append(name)
        commands: list[Command] = []
        for bucket, gone in names.items():
            spot = self.reading.layout.spots.bucket(bucket)
            keys = [spot.shared("index"), spot.shared("index_ends")]
            commands.append(Command.run(FORGET_GONE, keys, [spot.key(what), *gone]))
        await self.reading.calls.run(commands, self.reading.wish)


def _size(answer: Reply | TauluError, wanted: tuple[str, ...]) -> int:
    """Return the bytes of a kv row's fields."""
    fields = fields_of(cast(Reply, answer), wanted)
    return sum(len(name) + len(value) for name, value in fields.items())
