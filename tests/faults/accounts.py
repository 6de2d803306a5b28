"""Bounded counters with holds: never past a bound, and every effect there exactly once."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

from taulu.model import (
    ChangeCounters,
    Changed,
    Commit,
    Consistency,
    Counter,
    CounterChange,
    Failed,
    GetCounters,
    Increment,
    Key,
    Release,
    Reserve,
    Table,
    TauluError,
)
from tests.faults.calls import Caller, Fate, fate_after, fate_of
from tests.faults.tables import CEILING

_CHANGES_MAX = 25
"""How many changes one account takes before the next begins, so that none stays full."""
_HOUR_US = 3_600_000_000


@dataclass
class _Change:
    """One change, what it adds to the value and to what is held, and what is known of it."""

    change: CounterChange
    words: str
    value: int = 0
    held: int = 0
    fate: Fate = Fate.UNKNOWN


@dataclass
class _Account:
    key: str
    changes: list[_Change] = field(default_factory=list)

    def unknown(self) -> list[_Change]:
        return [change for change in self.changes if change.fate is Fate.UNKNOWN]


@dataclass
class Accounts:
    """The part on counters."""

    caller: Caller
    table: Table
    has_holds: bool
    workers: int = 3
    accounts: list[_Account] = field(default_factory=list)
    _hold_ids: itertools.count[int] = field(default_factory=itertools.count)

    async def prepare(self) -> None:
        """Begin with one account."""
        self._add()

    async def step(self, worker: int, choose: random.Random) -> None:
        """Add, hold and settle, or read."""
        account = self.accounts[-1]
        if len(account.changes) >= _CHANGES_MAX:
            account = self._add()
        roll = choose.random()
        if roll < 0.45:
            await self._increment(account, choose)
        elif roll < 0.8 and self.has_holds:
            await self._hold(account, choose)
        else:
            await self._read(account)

    async def settle(self) -> bool:
        """Send every unknown change once more; return whether all are settled."""
        for account in self.accounts:
            for change in account.unknown():
                await self._send(account, change)
        return not any(account.unknown() for account in self.accounts)

    async def check(self, until: float, *, is_settled: bool) -> None:
        """Read every account, and compare it with the changes that it must have seen."""
        for start in range(0, len(self.accounts), 100):
            some = self.accounts[start : start + 100]
            keys = tuple(Key((account.key,)) for account in some)
            got = await self.caller.read_surely(self._get(*keys), some[0].key, until)
            if got is None:
                continue
            for account, counter in zip(some, got.outcomes, strict=True):
                assert isinstance(counter, Counter)
                self._look_at(account, counter)
                self._compare(account, counter)

    def _compare(self, account: _Account, counter: Counter) -> None:
        done = [change for change in account.changes if change.fate is Fate.ACKNOWLEDGED]
        sums = {(sum(c.value for c in done), sum(c.held for c in done))}
        for change in account.unknown():
            sums |= {(value + change.value, held + change.held) for value, held in sums}
        seen = (counter.value, counter.held_increase)
        if seen not in sums:
            fates = [f"{c.words} ({c.fate.value})" for c in account.changes]
            self.caller.book.accuse(
                account.key,
                f"its value and holds are {seen}, but its changes make {sorted(sums)[:8]}; "
                f"all changes: {', '.join(fates)}",
            )

    def _look_at(self, account: _Account, counter: Counter) -> None:
        highest = counter.value + counter.held_increase
        if counter.value < 0 or highest > CEILING:
            self.caller.book.accuse(
                account.key,
                f"it is {counter.value} with {counter.held_increase} held, "
                f"past its bounds of 0 and {CEILING}",
            )

    def _add(self) -> _Account:
        account = _Account(self.caller.name(str(len(self.accounts) + 1)))
        self.accounts.append(account)
        return account

    async def _increment(self, account: _Account, choose: random.Random) -> None:
        delta = choose.choice([-20, -7, 5, 11, 19, 31])
        change = Increment(Key((account.key,)), delta, self.caller.token())
        await self._carry_out(account, _Change(change, f"add {delta}", value=delta), choose)

    async def _hold(self, account: _Account, choose: random.Random) -> None:
        key, amount = Key((account.key,)), choose.randrange(5, 40)
        hold_id = f"hold-{next(self._hold_ids)}"
        reserve = Reserve(key, amount, hold_id, _HOUR_US, self.caller.token())
        made = _Change(reserve, f"reserve {amount} as {hold_id}", held=amount)
        if await self._carry_out(account, made, choose) is not Fate.ACKNOWLEDGED:
            return
        ending: CounterChange
        if choose.random() < 0.6:
            part = choose.randrange(1, amount + 1)
            ending = Commit(key, hold_id, self.caller.token(), part)
            settled = _Change(ending, f"commit {part} of {hold_id}", value=part, held=-amount)
        else:
            ending = Release(key, hold_id, self.caller.token())
            settled = _Change(ending, f"release {hold_id}", held=-amount)
        if await self._carry_out(account, settled, choose) is Fate.CONFLICT:
            self.caller.book.accuse(account.key, f"an acknowledged hold is gone: {hold_id}")

    async def _carry_out(self, account: _Account, change: _Change, choose: random.Random) -> Fate:
        """Send a change, and now and then send it again with the same token."""
        account.changes.append(change)
        change.fate = await self._once(account, change)
        if change.fate is Fate.UNKNOWN and choose.random() < 0.5:
            await self._send(account, change)
        elif change.fate is Fate.ACKNOWLEDGED and choose.random() < 0.2:
            again = await self._once(account, change)
            if again is Fate.CONFLICT:
                self.caller.book.accuse(
                    account.key, f"{change.words} was acknowledged, but its resend is refused"
                )
        return change.fate

    async def _send(self, account: _Account, change: _Change) -> None:
        change.fate = fate_after(change.fate, await self._once(account, change))

    async def _once(self, account: _Account, change: _Change) -> Fate:
        operation = ChangeCounters(self.table.full_name, (change.change,))
        (outcome,) = await self.caller.write(operation, [account.key], [change.words])
        if isinstance(outcome, Changed):
            self._look_at(account, outcome.counter)
        return fate_of(outcome)

    async def _read(self, account: _Account) -> None:
        got = await self.caller.read(self._get(Key((account.key,))), account.key)
        if isinstance(got, TauluError) or isinstance(got.outcomes[0], Failed):
            return
        self._look_at(account, got.outcomes[0])

    def _get(self, *keys: Key) -> GetCounters:
        level = Consistency(self.table.read_level)
        return GetCounters(self.table.full_name, keys, level)
