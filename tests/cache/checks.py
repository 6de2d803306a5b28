"""The caching contract as checks of single calls, against what truly became of each row."""

from __future__ import annotations

from dataclasses import dataclass, field

from taulu.model import Absent, Facts, Key, Level, Row
from tests.cache.registers import Cell, Registers
from tests.cache.sim_time import now_s, true_s

RATE = 1.001
"""How much longer than its bound a second of a gateway's clock may be; see `SimClock.rate`."""
VIOLATIONS_KEPT = 20


@dataclass(slots=True)
class Session:
    """A client's session: its token, and the states that it has written or seen."""

    version: int = 0
    time_us: int = 0
    seen: dict[str, int] = field(default_factory=dict[str, int])
    """By row, the state below which no read of the session may fall."""

    def take(self, facts: Facts) -> None:
        """Take what a reply says into the token, as clients do."""
        self.version = max(self.version, facts.version)
        self.time_us = max(self.time_us, facts.session_us)

    def see(self, cell: Cell, at: int) -> None:
        """Hold the session to a state."""
        self.seen[cell.name] = max(at, self.seen.get(cell.name, 0))

    def join(self, other: Session) -> None:
        """Take over another session's token, with all that it stands for."""
        self.version = max(self.version, other.version)
        self.time_us = max(self.time_us, other.time_us)
        for name, at in other.seen.items():
            self.seen[name] = max(at, self.seen.get(name, 0))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asked of one table."""

    table: str
    level: Level
    begun_s: float
    bound_s: float
    """The table's bound, or the call's own if that is tighter."""
    ttl_s: float
    session: Session | None = None


Item = tuple[Key, Row | Absent]


@dataclass(slots=True)
class Checker:
    """Checks replies, and keeps what breaks the contract."""

    registers: Registers
    skew_s: float
    violations: list[str] = field(default_factory=list[str])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """Kinds of violations, and of checked reads."""
    checked: int = 0
    late_s_max: float = 0.0
    """How late the latest unseen write was that a read did not show."""

    def read(self, asked: Asked, items: list[Item], facts: Facts) -> None:
        """Check one reply; a session is held to what it saw."""
        end_s = now_s()
        self._facts(asked, facts, len(items), end_s)
        versions: list[int] = []
        for key, got in items:
            self.checked += 1
            cell = self.registers.cell(asked.table, key)
            at = cell.seen(got, end_s)
            if at is None:
                self.fail("torn", asked, f"{cell.name} never was {got}", facts)
                continue
            if isinstance(got, Row):
                versions.append(got.version)
                self._not_over(asked, cell, got, facts)
            self._state(asked, cell, at, facts, end_s)
        if facts.version < max(versions, default=0):
            self.fail("facts", asked, "the version is below that of a row", facts)

    def _facts(self, asked: Asked, facts: Facts, count: int, end_s: float) -> None:
        """Check what a reply says of itself, as far as that does not depend on its rows."""
        source = facts.source.value
        self.counts[source] = self.counts.get(source, 0) + count
        as_of_s = true_s(facts.as_of_us)
        if as_of_s > end_s + self.skew_s:
            self.fail("facts", asked, "the reply comes from the future", facts)
        if as_of_s < asked.begun_s - asked.ttl_s * RATE - self.skew_s:
            self.fail("ttl", asked, f"the entry is {end_s - as_of_s:.3f} s old", facts)
        if facts.is_stale:
            self.counts["stale"] = self.counts.get("stale", 0) + count
            if asked.level is not Level.EVENTUAL:
                self.fail("facts", asked, "an old copy was given for an error", facts)
        if facts.level < asked.level:
            self.fail("facts", asked, "the reply has a weaker level than asked", facts)
        if as_of_s < asked.begun_s - asked.bound_s:
            self.counts["vouched"] = self.counts.get("vouched", 0) + count

    def _not_over(self, asked: Asked, cell: Cell, row: Row, facts: Facts) -> None:
        """Check that a row had not expired when the read began, by any gateway's clock."""
        if row.expire_us is not None and asked.begun_s > true_s(row.expire_us) + self.skew_s:
            what = f"{cell.name} expired at {true_s(row.expire_us):.3f} s"
            self.fail("expired", asked, what, facts)

    def _state(self, asked: Asked, cell: Cell, at: int, facts: Facts, end_s: float) -> None:
        begun_s = asked.begun_s
        late_s = self._late_s(cell, at, begun_s)
        self.late_s_max = max(self.late_s_max, late_s)
        if late_s > asked.bound_s * RATE and not facts.is_stale:
            what = f"{cell.name} shows state {at}, {late_s:.3f} s after a later one was known"
            self.fail("bound", asked, what, facts)
        if facts.level >= Level.QUORUM and not self._is_current(cell, at, begun_s):
            what = f"{cell.name} shows state {at}, which was over before the call began"
            self.fail("quorum", asked, what, facts)
        if at < cell.floor(true_s(facts.as_of_us) - self.skew_s):
            what = f"{cell.name} shows state {at}, older than the reply says it is"
            self.fail("facts", asked, what, facts)
        session = asked.session
        if session is None:
            return
        floor = session.seen.get(cell.name, 0)
        if asked.level >= Level.SESSION and at < floor:
            what = f"{cell.name} shows state {at} to a session of state {floor}"
            self.fail("session", asked, what, facts)
        if cell.states[at].value is not None:
            session.see(cell, at)

    @staticmethod
    def _is_current(cell: Cell, at: int, begun_s: float) -> bool:
        """Whether a state was the present one at some time since."""
        after = at + 1
        return after >= len(cell.states) or cell.states[after].since_s >= begun_s - 1e-9

    @staticmethod
    def _late_s(cell: Cell, at: int, begun_s: float) -> float:
        """Return how long before a read began the first later state was acknowledged."""
        if cell.floor(begun_s) <= at:
            return 0.0
        return begun_s - cell.first_after(at)

    def fail(self, kind: str, asked: Asked, what: str, facts: Facts | None) -> None:
        """Note that the contract was broken."""
        self.counts["broken " + kind] = self.counts.get("broken " + kind, 0) + 1
        if len(self.violations) < VIOLATIONS_KEPT:
            level = asked.level.name
            text = f"{kind}: {what} (at {asked.begun_s:.6f} s, {level}, {asked.table}, {facts})"
            self.violations.append(text)
