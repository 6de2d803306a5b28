"""Which places are read most: the Space-Saving sketch of Metwally, Agrawal and El Abbadi (2005)."""

from __future__ import annotations

from collections.abc import Sequence

from taulu.cache.near import Place

PLACES_MAX = 512
"""How many places are counted at once; any that takes a larger share than 1/512 is among them."""
ONE_IN = 16
"""Of how many reads one is counted, so that counting costs a hit next to nothing."""
HALVE_AFTER = 100_000
"""After how many counted reads all counts are halved, so that what was hot is forgotten."""


class Tally:
    """Counts reads by place in bounded space; a count is rarely too high, and not for long."""

    def __init__(self) -> None:
        self._counts: dict[Place, int] = {}
        self._total = 0
        self._skipped = 0

    def count(self, place: Place) -> None:
        """Count one read, if it is its turn."""
        self._skipped += 1
        if self._skipped < ONE_IN:
            return
        self._skipped = 0
        counts = self._counts
        self._total += 1
        if place in counts:
            counts[place] += 1
        elif len(counts) < PLACES_MAX:
            counts[place] = 1
        else:
            rarest = min(counts, key=counts.__getitem__)
            counts[place] = counts.pop(rarest) + 1
        if self._total >= HALVE_AFTER:
            self._total //= 2
            self._counts = {key: n // 2 for key, n in counts.items() if n > 1}

    def hottest(self, table: str, count: int) -> Sequence[tuple[Place, float]]:
        """Return the places of a table that were read most, with their share of all reads."""
        found = [(place, n) for place, n in self._counts.items() if place.table == table]
        found.sort(key=lambda item: item[1], reverse=True)
        total = max(self._total, 1)
        return [(place, n / total) for place, n in found[:count]]
