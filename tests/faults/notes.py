"""Plain writes: rows put once, and rows whose one writer puts growing numbers."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from taulu.model import (
    Failed,
    GetRows,
    Key,
    Level,
    Put,
    Row,
    Table,
    TauluError,
    WriteRows,
    WriteUnit,
)
from tests.faults.calls import Caller, Fate, fate_after, fate_of

_BATCH = 3
_ABSENT = 0


@dataclass
class _Note:
    """One put, and what is known of it."""

    unit: WriteUnit
    number: int
    fate: Fate = Fate.UNKNOWN


@dataclass
class _Growing:
    """A row with one writer, who goes on only when the write before is settled."""

    acknowledged: int = _ABSENT
    sent: int = _ABSENT
    pending: _Note | None = None
    is_doubted: bool = False
    """Whether a write failed since it was read: the next write would hide what was lost."""


@dataclass
class Notes:
    """The part on plain writes."""

    caller: Caller
    table: Table
    workers: int = 2
    once: dict[str, _Note] = field(default_factory=dict)
    """Rows put once, by key."""
    growing: dict[str, _Growing] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Give every worker a row of its own."""
        self.growing = {self.caller.name(f"grows-{n}"): _Growing() for n in range(self.workers)}

    async def step(self, worker: int, choose: random.Random) -> None:
        """Put new rows, the next number of the own row, or read the own row."""
        roll = choose.random()
        key = self.caller.name(f"grows-{worker}")
        own = self.growing[key]
        if roll < 0.4:
            await self._put_once()
        elif roll < 0.8 and not own.is_doubted:
            await self._put_next(key, own)
        else:
            await self._read_own(key, own)
            # While it cannot be read it may still be written: both must be seen to fail.
            if own.is_doubted:
                await self._put_next(key, own)

    async def settle(self) -> bool:
        """Send every unknown write once more; return whether all are settled."""
        unknown = [(key, n) for key, n in self.once.items() if n.fate is Fate.UNKNOWN]
        for start in range(0, len(unknown), 20):
            await self._send(unknown[start : start + 20])
        for key, own in self.growing.items():
            if own.pending is not None:
                await self._send_pending(key, own, own.pending)
        return all(n.fate is not Fate.UNKNOWN for n in self.once.values()) and all(
            own.pending is None for own in self.growing.values()
        )

    async def check(self, until: float, *, is_settled: bool) -> None:
        """Read everything back; a level that may lag is given until the bound."""
        lags = min(self.table.read_level, self.table.write_level) < Level.QUORUM
        while True:
            wrong = await self._wrong(until, is_settled=is_settled)
            if not wrong or not lags or time.monotonic() > until:
                break
            await asyncio.sleep(0.2)
        for key, what in wrong:
            self.caller.book.accuse(key, what)

    async def _wrong(self, until: float, *, is_settled: bool) -> list[tuple[str, str]]:
        wrong: list[tuple[str, str]] = []
        read = await self._numbers([*self.once, *self.growing], until)
        for key, note in self.once.items():
            seen = read.get(key)
            if seen is None:
                continue
            if seen not in _allowed_once(note):
                wrong.append((key, f"a note {note.fate.value} as {note.number} is read as {seen}"))
        for key, own in self.growing.items():
            seen = read.get(key)
            if seen is not None and seen not in _allowed_growing(own):
                wrong.append((key, f"{own.acknowledged} was acknowledged last, but {seen} is read"))
        return wrong

    async def _numbers(self, keys: list[str], until: float) -> dict[str, int]:
        read: dict[str, int] = {}
        for start in range(0, len(keys), 100):
            some = keys[start : start + 100]
            operation = GetRows(self.table.full_name, tuple(Key((key,)) for key in some))
            got = await self.caller.read_surely(operation, some[0], until)
            if got is None:
                continue
            for key, outcome in zip(some, got.outcomes, strict=True):
                read[key] = _number(outcome)
        return read

    async def _put_once(self) -> None:
        batch: list[tuple[str, _Note]] = []
        for _ in range(_BATCH):
            number = len(self.once) + 1
            key = self.caller.name(f"once-{number}")
            self.once[key] = self._note(key, number)
            batch.append((key, self.once[key]))
        await self._send(batch, is_first=True)

    async def _put_next(self, key: str, own: _Growing) -> None:
        if own.pending is None:
            own.sent += 1
            note = self._note(key, own.sent)
            (outcome,) = await self._write([(key, note)])
            note.fate = fate_of(outcome)
            self._take(own, note)
        else:
            await self._send_pending(key, own, own.pending)

    async def _send_pending(self, key: str, own: _Growing, note: _Note) -> None:
        (outcome,) = await self._write([(key, note)])
        note.fate = fate_after(note.fate, fate_of(outcome))
        self._take(own, note)

    def _take(self, own: _Growing, note: _Note) -> None:
        own.pending = note if note.fate is Fate.UNKNOWN else None
        own.is_doubted = note.fate is not Fate.ACKNOWLEDGED
        if note.fate is Fate.ACKNOWLEDGED:
            own.acknowledged = note.number

    async def _read_own(self, key: str, own: _Growing) -> None:
        got = await self.caller.read(GetRows(self.table.full_name, (Key((key,)),)), key)
        if isinstance(got, TauluError) or isinstance(got.outcomes[0], Failed):
            return
        own.is_doubted = False
        seen = _number(got.outcomes[0])
        lags = min(self.table.read_level, self.table.write_level) < Level.QUORUM
        if not lags and seen not in _allowed_growing(own):
            self.caller.book.accuse(
                key, f"{own.acknowledged} was acknowledged last, but its writer reads {seen}"
            )

    def _note(self, key: str, number: int) -> _Note:
        put = Put(Key((key,)), {"number": number})
        return _Note(WriteUnit((put,), self.caller.token()), number)

    async def _send(self, batch: list[tuple[str, _Note]], *, is_first: bool = False) -> None:
        if not batch:
            return
        outcomes = await self._write(batch)
        for (_, note), outcome in zip(batch, outcomes, strict=True):
            fate = fate_of(outcome)
            note.fate = fate if is_first else fate_after(note.fate, fate)

    async def _write(self, batch: list[tuple[str, _Note]]) -> list[object]:
        operation = WriteRows(self.table.full_name, tuple(note.unit for _, note in batch))
        words = [f"put {note.number}" for _, note in batch]
        return await self.caller.write(operation, [key for key, _ in batch], words)


def _allowed_once(note: _Note) -> set[int]:
    match note.fate:
        case Fate.ACKNOWLEDGED:
            return {note.number}
        case Fate.UNKNOWN:
            return {note.number, _ABSENT}
        case _:
            return {_ABSENT}


def _allowed_growing(own: _Growing) -> set[int]:
    return {own.acknowledged} | ({own.pending.number} if own.pending is not None else set())


def _number(outcome: object) -> int:
    return int(str(outcome.columns["number"])) if isinstance(outcome, Row) else _ABSENT
