"""Which budget: what its counter is found by, and what books are compared by."""

from __future__ import annotations

from typing import NamedTuple


class BudgetKey(NamedTuple):
    """Which budget: the key of its counter, in declared order."""

    scope: str
    region: str
    day: str
    """ISO date."""
    shard: int

    @property
    def path(self) -> str:
        """The key as one string: `late/north/1998-07-01/0`."""
        return f"{self.scope}/{self.region}/{self.day}/{self.shard}"
