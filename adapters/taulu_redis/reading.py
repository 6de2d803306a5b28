"""Reads of rows by key and by partition."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, cast

from taulu.codec import stretch_of
from taulu.model import (
    Absent,
    Corrupt,
    Failed,
    GetRows,
    InvalidPageToken,
    Key,
    Kind,
    QueryRows,
    Row,
    RowOutcome,
    TauluError,
)
from taulu_redis._driver import Argument, Reply
from taulu_redis.calls import Calls, Command, Wish
from taulu_redis.columns import EXPIRES_FIELD, VERSION_FIELD
from taulu_redis.keys import Spot
from taulu_redis.layout import Layout
from taulu_redis.scripts import QUERY_PARTITION
from taulu_redis.stretches import lex_limits

_QUERY_MARK = b"\x01"
_WIDE_ROW = re.compile(rb"(\d+) (\d+|-) (.*)", re.DOTALL)

PageOfRows = tuple[tuple[Row, ...], bytes]
"""The rows of a page, and the position behind them; empty at the end."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads of one table at one moment."""

    calls: Calls
    layout: Layout
    now_us: int
    began: float
    """When it began, on `Clock.monotonic`."""
    wish: Wish

    async def get(self, operation: GetRows) -> tuple[RowOutcome, ...]:
        """Read rows by key; one that cannot be read fails alone."""
        if self.layout.table.kind is Kind.KV:
            return await self._get_kv(operation)
        return await self._get_wide(operation)

    async def _get_kv(self, operation: GetRows) -> tuple[RowOutcome, ...]:
        spots = [self.layout.spots.of(key.partition) for key in operation.keys]
        answers = await self.calls.run(
            [read_row(spot, operation.columns) for spot in spots], self.wish
        )
        return tuple(
            self.row_outcome(key, answer, operation.columns)
            for key, answer in zip(operation.keys, answers, strict=True)
        )

    def row_outcome(
        self, key: Key, answer: Reply | TauluError, wanted: tuple[str, ...]
    ) -> RowOutcome:
        """Return what the fields of a kv row say."""
        if isinstance(answer, TauluError):
            return Failed(answer)
        fields = fields_of(answer, wanted)
        if not is_live(fields, self.now_us):
            return Absent()
        try:
            columns = self.layout.columns.from_fields(fields, wanted)
        except Corrupt as error:
            return Failed(error)
        expires = fields.get(EXPIRES_FIELD)
        end_us = None if expires is None else int(expires)
        return Row(key, columns, int(fields[VERSION_FIELD]), end_us)

    async def _get_wide(self, operation: GetRows) -> tuple[RowOutcome, ...]:
        """Read all rows of one partition by one command, so that no unit is seen by half."""
        places: dict[Spot, list[int]] = {}
        for i, key in enumerate(operation.keys):
            places.setdefault(self.layout.spots.of(key.partition), []).append(i)
        commands = [
            Command(
                spot.key("rows"), ("HMGET", spot.key("rows"), *self._clusterings(operation, at))
            )
            for spot, at in places.items()
        ]
        answers = await self.calls.run(commands, self.wish)
        outcomes: list[RowOutcome] = [Absent()] * len(operation.keys)
        for at, answer in zip(places.values(), answers, strict=True):
            for i, outcome in zip(at, self._wide_outcomes(operation, at, answer), strict=True):
                outcomes[i] = outcome
        return tuple(outcomes)

    def _clusterings(self, operation: GetRows, at: Sequence[int]) -> list[bytes]:
        return [self.layout.keys.clustering(operation.keys[i].clustering) for i in at]

    def _wide_outcomes(
        self, operation: GetRows, at: Sequence[int], answer: Reply | TauluError
    ) -> list[RowOutcome]:
        if isinstance(answer, TauluError):
            return [Failed(answer)] * len(at)
        stored = cast("list[bytes | None]", answer)
        return [
            self._wide_outcome(operation.keys[i], data, operation.columns)
            for i, data in zip(at, stored, strict=True)
        ]

    def _wide_outcome(self, key: Key, data: bytes | None, wanted: tuple[str, ...]) -> RowOutcome:
        if data is None:
            return Absent()
        try:
            row = self.wide_row(key, data, wanted)
        except Corrupt as error:
            return Failed(error)
        is_over = row.expire_us is not None and row.expire_us <= self.now_us
        return Absent() if is_over else row

    def wide_row(self, key: Key, data: bytes, wanted: tuple[str, ...]) -> Row:
        """Return the row in a field of a partition's hash.

        Raises:
            Corrupt: It holds none.
        """
        found = _WIDE_ROW.fullmatch(data)
        if found is None:
            raise Corrupt(
                f"a stored row of {self.layout.table.full_name} cannot be read",
                details={"table": self.layout.table.full_name},
            )
        version, expires, body = found.groups()
        columns = self.layout.columns.from_body(body, wanted)
        return Row(key, columns, int(version), None if expires == b"-" else int(expires))

    async def query(self, operation: QueryRows) -> PageOfRows:
        """Read one page of a partition, in clustering order or against it."""
        stretch = stretch_of(self.layout.keys, operation.range)
        position = operation.page.position
        if position:
            place = self._place_at(operation, position)
            stretch = stretch.behind(place, reverse=operation.reverse)
        spot = self.layout.spots.of(operation.partition)
        answer = await self.calls.one(
            query_command(
                spot,
                (*lex_limits(stretch), "1" if operation.reverse else "0"),
                (self.now_us, operation.page.rows_max, operation.page.bytes_max),
            ),
            self.wish,
        )
        places, stored, has_more = page_of(answer)
        partition = self.layout.keys.partition(operation.partition)
        rows = tuple(
            self.wide_row(self.layout.keys.key(partition, place), data, operation.columns)
            for place, data in zip(places, stored, strict=True)
        )
        return rows, _QUERY_MARK + places[-1] if has_more else b""

    def _place_at(self, operation: QueryRows, position: bytes) -> bytes:
        place = position[1:]
        if position[:1] != _QUERY_MARK:
            refuse_position(self.layout)
        try:
            self.layout.keys.key(self.layout.keys.partition(operation.partition), place)
        except Corrupt:
            refuse_position(self.layout)
        return place


def read_row(spot: Spot, wanted: tuple[str, ...]) -> Command:
    """Return the command that reads a kv row, or some of its columns."""
    key = spot.key("row")
    if not wanted:
        return Command(key, ("HGETALL", key))
    return Command(key, ("HMGET", key, VERSION_FIELD, EXPIRES_FIELD, *wanted))


def fields_of(answer: Reply, wanted: tuple[str, ...]) -> Mapping[bytes, bytes]:
    """Return the fields that are set, from what `read_row` was answered."""
    found = cast("list[bytes | None]", answer)
    if wanted:
        names = [VERSION_FIELD, EXPIRES_FIELD, *(name.encode() for name in wanted)]
        pairs = zip(names, found, strict=True)
        return {name: value for name, value in pairs if value is not None}
    texts = cast("list[bytes]", found)
    return dict(zip(texts[::2], texts[1::2], strict=True))


def is_live(fields: Mapping[bytes, bytes], now_us: int) -> bool:
    """Return whether these are the fields of a row that is there and has not expired."""
    expires = fields.get(EXPIRES_FIELD)
    return VERSION_FIELD in fields and (expires is None or int(expires) > now_us)


def query_command(
    spot: Spot, span: tuple[bytes, bytes, str], limits: tuple[int, int, int]
) -> Command:
    """Return the run of a script that reads a page of a partition.

    Args:
        spot: The partition.
        span: Both ends as ZRANGEBYLEX takes them, and `1` to go backwards.
        limits: Now, the rows and the bytes at most.
    """
    now_us, rows_max, bytes_max = limits
    arguments: list[Argument] = [now_us, *span, rows_max, bytes_max]
    return Command.run(QUERY_PARTITION, [spot.key("order"), spot.key("rows")], arguments)


def page_of(answer: Reply) -> tuple[list[bytes], list[bytes], bool]:
    """Return the places, the rows, and whether there is more, of a page that was read."""
    *found, ending = cast("list[bytes]", answer)
    return found[::2], found[1::2], ending == b"more"


def refuse_position(layout: Layout) -> NoReturn:
    """Refuse a page position that this table did not make."""
    raise InvalidPageToken(
        f"the page position is none of {layout.table.full_name}; leave the page token out to "
        "begin again",
        details={"table": layout.table.full_name},
    )
