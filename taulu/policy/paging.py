"""A page token goes on with the query that it came from, and with no other."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from taulu.model.errors import InvalidPageToken
from taulu.model.operation import Operation, QueryRows, ScanRows
from taulu.spi.context import Context, Handler

ResultT = TypeVar("ResultT")

_DIGEST_BYTES = 8
_VERSION = b"\x01"


@dataclass(frozen=True, slots=True)
class Paging:
    """Turns page tokens into the adapter's positions, and positions into page tokens.

    A token is a version byte, a digest over the query and the position, and the position;
    page sizes and the consistency level may differ from page to page.
    """

    next: Handler

    async def __call__(self, operation: Operation[ResultT], context: Context) -> ResultT:
        """Unwrap the token, run the next handler, wrap the next position.

        Raises:
            InvalidPageToken: The token is damaged, or belongs to another query.
        """
        if not isinstance(operation, QueryRows | ScanRows):
            return await self.next(operation, context)
        query = _query_bytes(operation)
        position = _unwrap(operation.page.token, query, operation.table)
        moved = replace(operation, page=replace(operation.page, position=position))
        page = await self.next(moved, context)
        if page.next_position:
            page = replace(page, next_token=_wrap(page.next_position, query))
        return cast(ResultT, page)


def _query_bytes(operation: QueryRows | ScanRows) -> bytes:
    """Return all of a query that must stay the same from page to page."""
    match operation:
        case QueryRows():
            parts: tuple[object, ...] = (operation.partition, operation.range, operation.reverse)
        case ScanRows():
            parts = (operation.segment, operation.segment_count)
    return repr((type(operation).__name__, operation.table, operation.columns, parts)).encode()


def _digest(query: bytes, position: bytes) -> bytes:
    return hashlib.blake2b(query + b"\x00" + position, digest_size=_DIGEST_BYTES).digest()


def _wrap(position: bytes, query: bytes) -> str:
    return base64.urlsafe_b64encode(_VERSION + _digest(query, position) + position).decode()


def _unwrap(token: str, query: bytes, table: str) -> bytes:
    if not token:
        return b""
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    position = raw[1 + _DIGEST_BYTES :]
    if raw[:1] != _VERSION or raw[1 : 1 + _DIGEST_BYTES] != _digest(query, position):
        raise InvalidPageToken(
            f"the page token is damaged or belongs to another query than this one on {table}; "
            "send it unchanged with the same table, key, range, direction and columns, or "
            "leave it out to begin again",
            details={"table": table},
        )
    return position
