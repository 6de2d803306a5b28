"""Log appends: every acknowledged record at its place, once, in the order of its key."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field

from taulu.model import (
    Appended,
    AppendRecords,
    FromLatest,
    FromOffset,
    LogPage,
    LogRecord,
    NewRecord,
    ReadLog,
    Table,
    TauluError,
)
from tests.faults.calls import Caller, Fate, fate_after, fate_of

_PAGE_RECORDS = 500
_PAGE_BYTES = 1_000_000
_READY_S_MAX = 20.0
_BATCH_MAX = 3
Place = tuple[int, int]


@dataclass
class _Line:
    """One record, and what is known of it."""

    key: str
    number: int
    record: NewRecord
    fate: Fate = Fate.UNKNOWN
    place: Place | None = None
    was_settled_at_once: bool = False
    """Whether its first sending was answered, so that its place in the order is known."""

    @property
    def name(self) -> str:
        """What it is called in the book."""
        return f"{self.key}#{self.number}"


@dataclass
class Lines:
    """The part on logs."""

    caller: Caller
    table: Table
    workers: int = 3
    lines: list[_Line] = field(default_factory=list)
    _begins: dict[int, int] = field(default_factory=dict)
    """The offset at which this run begins, by partition."""
    _seen: dict[Place, tuple[str, int]] = field(default_factory=dict)
    """What readers saw while the run went on."""
    _next: dict[int, int] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Note where every partition ends now."""
        for partition in range(self.table.log_partitions):
            operation = ReadLog(
                self.table.full_name, partition, FromLatest(), _PAGE_RECORDS, _PAGE_BYTES
            )
            until = time.monotonic() + _READY_S_MAX
            got = await self.caller.read_surely(operation, "log", until)
            self._begins[partition] = got.next_offset if got is not None else 0
        self._next = dict(self._begins)

    async def step(self, worker: int, choose: random.Random) -> None:
        """Append one or a few records of the worker's own key, or read on."""
        if choose.random() < 0.75:
            await self._append(worker, choose)
        else:
            await self._read_on(choose.randrange(self.table.log_partitions))

    async def settle(self) -> bool:
        """Send every unknown record once more; return whether all are settled."""
        unknown = [line for line in self.lines if line.fate is Fate.UNKNOWN]
        for start in range(0, len(unknown), 20):
            await self._send(unknown[start : start + 20])
        return all(line.fate is not Fate.UNKNOWN for line in self.lines)

    async def check(self, until: float, *, is_settled: bool) -> None:
        """Read the log from where the run began, and compare it with what was sent."""
        read: dict[Place, LogRecord] = {}
        for partition in range(self.table.log_partitions):
            read |= await self._read_all(partition, until)
        found: dict[tuple[str, int], list[Place]] = {}
        for place, record in read.items():
            found.setdefault(_content(record), []).append(place)
        for line in self.lines:
            self._compare(line, found.get((line.key, line.number), []))
        for place, content in self._seen.items():
            record = read.get(place)
            if record is None or _content(record) != content:
                now = None if record is None else _content(record)
                self.caller.book.accuse(
                    f"{content[0]}#{content[1]}",
                    f"a reader saw record {content[1]} at {place}, where {now} is now",
                )
        self._check_order()

    def _compare(self, line: _Line, places: list[Place]) -> None:
        accuse = self.caller.book.accuse
        known = f"record {line.number}, {line.fate.value}"
        if len(places) > 1:
            accuse(line.name, f"{known}, is read {len(places)} times: {places}")
        if line.fate is Fate.ACKNOWLEDGED and not places:
            accuse(line.name, f"{known} at {line.place}, is lost")
        if line.fate is Fate.ACKNOWLEDGED and places and line.place not in places:
            accuse(line.name, f"{known} at {line.place}, is read at {places}")
        if line.fate in {Fate.REFUSED, Fate.CONFLICT} and places:
            accuse(line.name, f"{known} as not done, is read at {places}")

    def _check_order(self) -> None:
        for key in {line.key for line in self.lines}:
            sure = [
                line
                for line in self.lines
                if line.key == key and line.was_settled_at_once and line.place is not None
            ]
            for before, after in itertools.pairwise(sure):
                assert before.place is not None
                assert after.place is not None
                if before.place >= after.place:
                    self.caller.book.accuse(
                        key,
                        f"record {before.number} at {before.place} was acknowledged before "
                        f"record {after.number} at {after.place} was sent",
                    )

    async def _append(self, worker: int, choose: random.Random) -> None:
        key = self.caller.name(f"source-{worker}")
        fresh: list[_Line] = []
        for _ in range(choose.randrange(1, _BATCH_MAX + 1)):
            number = len(self.lines) + 1
            record = NewRecord((key,), {"number": number}, self.caller.token())
            fresh.append(_Line(key, number, record))
            self.lines.append(fresh[-1])
        await self._send(fresh, is_first=True)
        open_ = [line for line in fresh if line.fate is Fate.UNKNOWN]
        done = [line for line in fresh if line.fate is Fate.ACKNOWLEDGED]
        if open_ and choose.random() < 0.5:
            await self._send(open_)
        elif done and choose.random() < 0.15:
            await self._send(done)

    async def _send(self, lines: list[_Line], *, is_first: bool = False) -> None:
        operation = AppendRecords(self.table.full_name, tuple(line.record for line in lines))
        words = [f"append {line.number}" for line in lines]
        outcomes = await self.caller.write(operation, [line.name for line in lines], words)
        for line, outcome in zip(lines, outcomes, strict=True):
            fate = fate_of(outcome)
            line.fate = fate if is_first else fate_after(line.fate, fate)
            if not isinstance(outcome, Appended):
                continue
            place = (outcome.partition, outcome.offset)
            if line.place not in {None, place}:
                self.caller.book.accuse(
                    line.name, f"record {line.number} was told {line.place}, then {place}"
                )
            line.place = place
            line.was_settled_at_once = line.was_settled_at_once or is_first

    async def _read_on(self, partition: int) -> None:
        got = await self.caller.read(self._page(partition, self._next[partition]), "log")
        if isinstance(got, TauluError):
            return
        for record in got.records:
            self._seen[partition, record.offset] = _content(record)
        self._next[partition] = max(self._next[partition], got.next_offset)

    async def _read_all(self, partition: int, until: float) -> dict[Place, LogRecord]:
        read: dict[Place, LogRecord] = {}
        offset = self._begins[partition]
        while True:
            page: LogPage | None = await self.caller.read_surely(
                self._page(partition, offset), "log", until
            )
            if page is None:
                return read
            read |= {(partition, record.offset): record for record in page.records}
            offset = page.next_offset
            if offset >= page.end_offset or not page.records:
                return read
            await asyncio.sleep(0)

    def _page(self, partition: int, offset: int) -> ReadLog:
        start = FromOffset(offset)
        return ReadLog(self.table.full_name, partition, start, _PAGE_RECORDS, _PAGE_BYTES)


def _content(record: LogRecord) -> tuple[str, int]:
    return str(record.key[0]), int(str(record.columns["number"]))
