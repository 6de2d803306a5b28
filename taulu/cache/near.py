"""The near cache: entries in the worker's own memory, bounded by bytes, kept by W-TinyLFU."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moka_py import Moka

from taulu.cache.entry import Entry

if TYPE_CHECKING:
    from moka_py import Cause

VARIANTS_MAX = 64
"""How many entries one place may hold; the oldest goes for a new one."""
_PLACE_BYTES = 200
"""What a place weighs besides its entries, roughly."""


@dataclass(frozen=True, slots=True)
class Place:
    """A partition of a cached table."""

    table: str
    key: bytes
    """The encoded partition key."""


Variants = dict[bytes, Entry]


class NearCache:
    """Entries by place and variant.

    What is dropped is gone at once; what is put may not be kept, or go at any time, as the
    policy sees fit: a frequency sketch decides whether a new place is worth an old one.
    """

    def __init__(self, bytes_max: int) -> None:
        self._live: set[Place] = set()
        self._cache: Moka[Place, Variants] = Moka(
            bytes_max, weigher=_weight, eviction_listener=self._on_gone
        )

    def get(self, place: Place, variant: bytes) -> Entry | None:
        """Return the entry, fresh or not."""
        variants = self._cache.get(place)
        return None if variants is None else variants.get(variant)

    def put(self, place: Place, variant: bytes, entry: Entry) -> None:
        """Offer an entry; an entry of a later read is never replaced by an earlier one."""
        # Asking the cache counts as a read, and would make what is missed look popular.
        before = self._cache.get(place) if place in self._live else None
        # A new mapping each time: the cache weighs what it is given, once.
        variants = {} if before is None else dict(before)
        old = variants.pop(variant, None)
        if old is not None and old.began_s > entry.began_s:
            return
        if len(variants) >= VARIANTS_MAX:
            del variants[next(iter(variants))]
        variants[variant] = entry
        self._live.add(place)
        self._cache.set(place, variants)

    def drop(self, place: Place) -> bool:
        """Drop everything in a place; return whether there was anything."""
        return self._cache.remove(place) is not None

    def sample(self, table: str, count: int, choose: random.Random) -> list[Place]:
        """Return up to `count` different places of a table, any of them as likely."""
        places = [place for place in self._live if place.table == table]
        return places if len(places) <= count else choose.sample(places, count)

    def variants(self, place: Place) -> Variants:
        """Return all entries of a place."""
        return self._cache.get(place) or {}

    def _on_gone(self, place: Place, variants: Variants, cause: Cause) -> None:
        del variants
        if cause != "replaced":
            self._live.discard(place)

    def places_of(self, table: str) -> int:
        """Return how many places of a table are held, about."""
        return sum(place.table == table for place in self._live)

    @property
    def bytes(self) -> int:
        """How much is held, in bytes."""
        self._cache.run_pending_tasks()
        return self._cache.weighted_size()

    @property
    def places(self) -> int:
        """How many places are held."""
        self._cache.run_pending_tasks()
        return self._cache.count()


def _weight(place: Place, variants: Variants) -> int:
    return _PLACE_BYTES + len(place.key) + sum(entry.weight for entry in variants.values())
