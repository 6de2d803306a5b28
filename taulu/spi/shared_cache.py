"""What a backend offers that can hold the shared cache tier, and carry news between gateways.

The tier holds *places*. A place is a partition of a cached table; everything that is cached of
it lies in the place under a *variant*: the row of a `kv` table, or one first page of a query.
Dropping a place drops every variant and every lease in it, in one atomic step.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Ask:
    """One entry that a reader wants, and how fresh it must be.

    An entry will do when its `as_of_us` is `as_of_us_min` or later, or, where a version is
    asked for, when its version is at least that.
    """

    place: bytes
    variant: bytes
    as_of_us_min: int
    version_min: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that is fresh enough."""

    entry: bytes


@dataclass(frozen=True, slots=True)
class Leased:
    """There is no such entry, and this reader alone is to load it from the store."""

    lease: str


@dataclass(frozen=True, slots=True)
class Busy:
    """There is no such entry, and another reader is loading it."""


Answer: TypeAlias = Hit | Leased | Busy


@dataclass(frozen=True, slots=True)
class Fill:
    """An entry that was loaded under a lease."""

    place: bytes
    variant: bytes
    lease: str
    as_of_us: int
    """When the read of the store began, in microseconds since 1970."""
    version: int
    entry: bytes
    ttl_us: int
    """How long the tier may keep it, in microseconds."""


class SharedTier(Protocol):
    """A cache that all gateways share. Every method raises `Unavailable` when it cannot serve.

    The tier may lose anything at any time; it never makes anything up. A lease names one reader
    and ends with `fill`, `release`, `drop`, or after its time.
    """

    async def get(self, table: str, asks: Sequence[Ask], lease_us: int) -> list[Answer]:
        """Return what became of each ask, in order.

        Args:
            table: `namespace.table`.
            asks: At most one for each place and variant.
            lease_us: How long a lease given out here lasts, in microseconds.
        """
        ...

    async def fill(self, table: str, fills: Sequence[Fill]) -> list[bool]:
        """Keep entries whose lease is still theirs; say for each whether it was kept.

        A lease that ended, by `drop` above all, fences its fill: a slow reader never brings
        back what a write has taken away.
        """
        ...

    async def release(self, table: str, leases: Sequence[tuple[bytes, bytes, str]]) -> None:
        """End leases (place, variant, lease) whose load failed, so that others may try."""
        ...

    async def drop(self, table: str, places: Sequence[bytes]) -> None:
        """Drop everything in these places, leases included."""
        ...


class Carrier(Protocol):
    """Carries short messages to every gateway that listens, in the order of each sender.

    A message may be lost; the channel above numbers them, so that a loss is found out.
    """

    async def send(self, message: bytes) -> None:
        """Hand a message to all who listen now; raise `Unavailable` if that is not sure."""
        ...

    def listen(self) -> AsyncGenerator[bytes]:
        """Yield every message from the moment of listening on, one's own perhaps included.

        The first item is empty: it says that from now on nothing is missed. The iterator raises
        `Unavailable` when the way is lost; a new call begins anew.
        """
        ...

    async def enrol(self, member: str) -> None:
        """Put a sender on the list of members; it stays there until it is struck off."""
        ...

    async def members(self) -> frozenset[str]:
        """Return all members on the list."""
        ...

    async def strike(self, member: str) -> None:
        """Take a member off the list."""
        ...

    async def kept_since_us(self) -> int:
        """Return since when the list has been kept, on a gateway's clock; 0 if it cannot be lost.

        A list that was lost begins anew, and lacks those who cannot enter themselves again.
        """
        ...


@dataclass(frozen=True, slots=True)
class SharedCache:
    """Both halves, on one backend."""

    tier: SharedTier
    carrier: Carrier


__all__ = [
    "Answer",
    "Ask",
    "Busy",
    "Carrier",
    "Fill",
    "Hit",
    "Leased",
    "SharedCache",
    "SharedTier",
]
