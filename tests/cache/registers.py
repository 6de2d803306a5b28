"""What truly became of each row: every state it had, when, and which writes were acknowledged."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from taulu.model import Absent, Key, Row


@dataclass(frozen=True, slots=True)
class State:
    """One state of a row."""

    at: int
    """Which one in the order of the row's states, counted from 0."""
    since_s: float
    value: int | None
    """None where the row is absent."""
    version: int
    expire_us: int | None = None
    """When the row expires, by the clock of its writer; another state begins then."""

    def row(self, key: Key) -> Row | Absent:
        """Return the row as a store gives it."""
        if self.value is None:
            return Absent()
        return Row(key, {"n": self.value}, self.version, self.expire_us)


@dataclass(slots=True)
class Cell:
    """One row's past."""

    name: str
    states: list[State] = field(default_factory=lambda: [State(0, 0.0, None, 0)])
    _by_token: dict[str, int] = field(default_factory=dict[str, int])
    _by_value: dict[int, int] = field(default_factory=dict[int, int])
    _absent_s: list[float] = field(default_factory=lambda: [0.0])
    _absent: list[int] = field(default_factory=lambda: [0])
    _acked_s: list[float] = field(default_factory=list[float])
    _floors: list[int] = field(default_factory=list[int])

    def change(
        self,
        now_s: float,
        token: str,
        value: int | None,
        version: int,
        expire_us: int | None = None,
    ) -> int:
        """Note the effect of a write; return the state that it made."""
        at = len(self.states)
        self.states.append(State(at, now_s, value, version, expire_us))
        self._by_token[token] = at
        if value is None:
            self._absent_s.append(now_s)
            self._absent.append(at)
        else:
            self._by_value[value] = at
        return at

    def expire(self, now_s: float, at: int) -> None:
        """Let the row be absent, if it is in this state still."""
        if at == len(self.states) - 1:
            self.change(now_s, f"end of {at}", None, self.states[at].version)

    def acknowledge(self, now_s: float, token: str) -> int:
        """Note that a write was acknowledged; return the state that it made."""
        at = self._by_token[token]
        self._acked_s.append(now_s)
        self._floors.append(max(at, self._floors[-1] if self._floors else 0))
        return at

    def at(self, past_s: float | None) -> State:
        """Return the state at a time, None for the present."""
        if past_s is None:
            return self.states[-1]
        for state in reversed(self.states):
            if state.since_s <= past_s:
                return state
        return self.states[0]

    def floor(self, time_s: float) -> int:
        """Return the state that whoever sees all writes acknowledged before a time sees at least.

        The writes of the last microsecond are left out, for clocks tell no finer.
        """
        found = bisect_right(self._acked_s, time_s - 2e-6)
        return self._floors[found - 1] if found else 0

    def seen(self, row: Row | Absent, now_s: float) -> int | None:
        """Return the state that a reader saw: the latest that fits; None when it never was."""
        if isinstance(row, Absent):
            return self._absent[bisect_right(self._absent_s, now_s) - 1]
        at = self._by_value.get(int(str(row.columns["n"])))
        if at is None or self.states[at].version != row.version:
            return None
        return at

    def first_after(self, at: int) -> float:
        """Return when it was first acknowledged that the row had a later state than this."""
        return self._acked_s[bisect_right(self._floors, at)]

    def acknowledged(self) -> list[tuple[float, int]]:
        """Return when each acknowledgement came, and the state it speaks for at least."""
        return list(zip(self._acked_s, self._floors, strict=True))


@dataclass(slots=True)
class Registers:
    """The rows of all tables."""

    cells: dict[tuple[str, Key], Cell] = field(default_factory=dict[tuple[str, Key], Cell])

    def cell(self, table: str, key: Key) -> Cell:
        """Return one row's past."""
        found = self.cells.get((table, key))
        if found is None:
            found = Cell(f"{table} {'/'.join(map(str, key.partition + key.clustering))}")
            self.cells[table, key] = found
        return found

    def partition(self, table: str, partition: tuple[object, ...]) -> list[tuple[Key, Cell]]:
        """Return the rows of one partition in clustering order, absent ones included."""
        found = [
            (key, cell)
            for (name, key), cell in self.cells.items()
            if name == table and key.partition == partition
        ]
        return sorted(found, key=lambda item: str(item[0].clustering))
