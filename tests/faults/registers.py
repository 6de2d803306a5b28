"""Compare-and-set: rows that several callers change at once, each history checked as a whole."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

from taulu.conformance.linearizability import Event, is_linearizable
from taulu.conformance.models import NO_ROW, CompareAndSet, ReadRow, RowCall
from taulu.model import (
    Consistency,
    Failed,
    GetRows,
    IfAbsent,
    IfColumns,
    Key,
    Level,
    Put,
    Row,
    Table,
    TauluError,
    WriteRows,
    WriteUnit,
)
from tests.faults.calls import Caller, Fate, fate_of

_CALLS_MAX = 30
"""How many calls one register takes before the next begins, so that a check stays short."""
_UNKNOWN_MAX = 6
_DONE, _FAILED = 1, 0


@dataclass
class _Call:
    """One call on a register, and what is known of it."""

    call: RowCall
    made: int
    unit: WriteUnit | None = None
    returned: int | None = None
    seen: int | None = None
    is_open: bool = False
    """Whether its fate is unknown and no resend has settled it."""


@dataclass
class _Register:
    key: str
    calls: list[_Call] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)
    """What each worker saw last; at first it takes the row to be absent."""
    stale: set[int] = field(default_factory=set)
    """The workers who lost since, and had better read first."""

    def open_calls(self) -> list[_Call]:
        return [call for call in self.calls if call.is_open]


class _Model:
    """A row of one number; a write that never returned and would do nothing is left out."""

    def first(self) -> int:
        return NO_ROW

    def after(self, state: int, call: RowCall, seen: int | None) -> int | None:
        if isinstance(call, ReadRow):
            return state if seen == state else None
        assert isinstance(call, CompareAndSet)
        if seen == _FAILED:
            return None if state == call.old else state
        return call.new if state == call.old else None


@dataclass
class Registers:
    """The part on compare-and-set."""

    caller: Caller
    table: Table
    workers: int = 3
    registers: list[_Register] = field(default_factory=list)
    _ticks: itertools.count[int] = field(default_factory=itertools.count)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def prepare(self) -> None:
        """Begin with one register."""
        self._add()

    async def step(self, worker: int, choose: random.Random) -> None:
        """Read the present register, or change it from what this worker saw last."""
        register = self.registers[-1]
        if len(register.calls) >= _CALLS_MAX or len(register.open_calls()) >= _UNKNOWN_MAX:
            register = self._add()
        chance = 0.2 if worker in register.stale else 0.7
        if choose.random() < chance:
            call = await self._compare_and_set(register, worker)
            if call.is_open and choose.random() < 0.5:
                await self._send_again(register, call)
        else:
            await self._read(register, worker)

    async def settle(self) -> bool:
        """Send every unknown write once more; return whether all are settled."""
        for register in self.registers:
            for call in register.open_calls():
                await self._send_again(register, call)
        return not any(register.open_calls() for register in self.registers)

    async def check(self, until: float, *, is_settled: bool) -> None:
        """Read every register, and look for an order of its calls that explains all."""
        if not is_settled:
            return
        for register in self.registers:
            made = next(self._ticks)
            got = await self.caller.read_surely(self._get(register), register.key, until)
            if got is None:
                continue
            seen = _number(got.outcomes[0])
            self._note_read(register, made, seen)
            history = [Event(c.call, c.made, c.returned, c.seen) for c in register.calls]
            if not is_linearizable(history, _Model()):
                self.caller.book.accuse(
                    register.key, f"no order of its calls explains what was seen; it ends at {seen}"
                )

    def _add(self) -> _Register:
        register = _Register(self.caller.name(str(len(self.registers) + 1)))
        self.registers.append(register)
        return register

    async def _compare_and_set(self, register: _Register, worker: int) -> _Call:
        old, new = register.last.get(worker, NO_ROW), next(self._numbers)
        key = Key((register.key,))
        condition = IfAbsent(key) if old == NO_ROW else IfColumns(key, {"number": old})
        unit = WriteUnit((Put(key, {"number": new}),), self.caller.token(), (condition,))
        call = _Call(CompareAndSet(old, new), next(self._ticks), unit, is_open=True)
        register.calls.append(call)
        fate = await self._send(register, call, "")
        if fate is Fate.REFUSED:
            # It says that nothing happened: the check must do without it.
            register.calls.remove(call)
            call.is_open = False
        elif fate is not Fate.UNKNOWN:
            call.returned, call.is_open = next(self._ticks), False
            call.seen = _DONE if fate is Fate.ACKNOWLEDGED else _FAILED
            if fate is Fate.ACKNOWLEDGED:
                register.last[worker] = new
            else:
                register.stale.add(worker)
        return call

    async def _send_again(self, register: _Register, call: _Call) -> None:
        made = next(self._ticks)
        fate = await self._send(register, call, " again")
        if fate is Fate.ACKNOWLEDGED:
            call.returned, call.seen, call.is_open = next(self._ticks), _DONE, False
        elif fate is Fate.CONFLICT:
            # The resend lost; whether the first sending comes late is left open to the check.
            lost = _Call(call.call, made, None, next(self._ticks), _FAILED)
            register.calls.append(lost)
            call.is_open = False

    async def _send(self, register: _Register, call: _Call, suffix: str) -> Fate:
        assert call.unit is not None
        assert isinstance(call.call, CompareAndSet)
        operation = WriteRows(self.table.full_name, (call.unit,))
        words = f"from {call.call.old} to {call.call.new}{suffix}"
        (outcome,) = await self.caller.write(operation, [register.key], [words])
        return fate_of(outcome)

    async def _read(self, register: _Register, worker: int) -> None:
        made = next(self._ticks)
        got = await self.caller.read(self._get(register), register.key)
        if isinstance(got, TauluError) or isinstance(got.outcomes[0], Failed):
            return
        register.last[worker] = _number(got.outcomes[0])
        register.stale.discard(worker)
        self._note_read(register, made, register.last[worker])

    def _note_read(self, register: _Register, made: int, seen: int) -> None:
        self.caller.book.note(register.key, f"<- read {seen}")
        if self.table.read_level is Level.LINEARIZABLE:
            register.calls.append(_Call(ReadRow(), made, None, next(self._ticks), seen))

    def _get(self, register: _Register) -> GetRows:
        level = Consistency(self.table.read_level)
        return GetRows(self.table.full_name, (Key((register.key,)),), consistency=level)


def _number(outcome: object) -> int:
    return int(str(outcome.columns["number"])) if isinstance(outcome, Row) else NO_ROW
