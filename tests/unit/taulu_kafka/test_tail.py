"""Workers that append the same tokens to one simulated log, at once and out of step."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from taulu.model import TauluError, Unavailable, WriteOutcomeUnknown
from taulu_kafka.stamp import LOOK_BACK_MAX, Stamp, read_stamp, token_digest
from taulu_kafka.tail import Effect, Pending, Seen, Tail
from tests.unit.taulu_kafka.parts import PLACE, Log


@dataclass
class Worker:
    """A worker with a tail of its own on the shared log."""

    log: Log
    clock_us: int
    tail: Tail = field(default_factory=lambda: Tail(PLACE, 0, 10_000, remembers=True))
    flying: list[tuple[Pending, Stamp]] = field(default_factory=list)

    def read(self, count: int) -> None:
        for one in self.log.records[self.tail.position :][:count]:
            stamp = read_stamp(one.headers)
            assert stamp is not None
            digest = token_digest(stamp.token)
            self.tail.see(Seen(one.offset, digest, stamp.effect, stamp.time_us, stamp.checked))

    def begin(self, token: str, effect: str) -> Pending | int:
        """Look the token up, and put its record on its way when it is new."""
        digest = token_digest(token)
        known = self.tail.pending.get(digest) or self.tail.find(digest)
        if known is not None:
            return known
        time_us = max(self.clock_us, self.tail.time_us)
        sent = Seen(-1, digest, effect, time_us, self.tail.position)
        pending = Pending(asyncio.get_running_loop().create_future(), sent)
        self.tail.pending[digest] = pending
        self.flying.append((pending, Stamp(token, effect, time_us, sent.checked)))
        return pending

    def land(self, index: int, *, is_heard: bool) -> None:
        """Let a record reach the log, and perhaps its acknowledgement the worker."""
        pending, stamp = self.flying.pop(index)
        offset = self.log.append(stamp)
        if is_heard:
            self.tail.acknowledge(pending, offset)
        else:
            self.tail.give_up(pending, WriteOutcomeUnknown("not heard"))


@pytest.mark.parametrize("seed", range(60))
async def test_workers_that_race_agree_with_every_reader(  # noqa: C901 - a whole race
    seed: int,
) -> None:
    choose = random.Random(seed)
    log = Log()
    workers = [Worker(log, clock_us=choose.randrange(1, 1_000)) for _ in range(3)]
    told: list[tuple[str, str, Pending | int]] = []
    for _ in range(400):
        worker = choose.choice(workers)
        worker.clock_us += choose.randrange(-5, 9)
        roll = choose.random()
        if roll < 0.4:
            token, effect = f"token-{choose.randrange(60)}", choose.choice("aab")
            told.append((token, effect, worker.begin(token, effect)))
        elif roll < 0.8 and worker.flying:
            worker.land(choose.randrange(len(worker.flying)), is_heard=choose.random() < 0.8)
        else:
            worker.read(choose.randrange(6))
    for worker in workers:
        while worker.flying:
            worker.land(0, is_heard=True)
    for worker in workers:
        worker.read(len(log.records))

    counted = {one.stamp.token: one for one in log.counted(0) if one.stamp is not None}
    assert len(counted) == len(log.counted(0)), "a token counts twice"
    times = [one.time_us for one in log.counted(0)]
    assert times == sorted(times)
    for start in range(len(log.records)):
        expected = [one for one in log.counted(0) if one.record.offset >= start]
        assert log.counted(start, look_back=choose.randrange(4)) == expected
    for token, _effect, outcome in told:
        first = counted[token]
        assert first.stamp is not None
        if isinstance(outcome, int):
            assert outcome == first.record.offset
            continue
        settled = outcome.outcome.result()
        if isinstance(settled, Effect):
            assert settled == Effect(first.record.offset, first.stamp.effect, first.time_us)
    for worker in workers:
        assert worker.tail.pending == {}
        assert {token: worker.tail.find(token_digest(token)) for token in counted} == {
            token: one.record.offset for token, one in counted.items()
        }


async def test_a_worker_alone_needs_only_the_acknowledgement() -> None:
    worker = Worker(Log(), 10)
    pending = worker.begin("token-a", "1")
    assert isinstance(pending, Pending)
    worker.land(0, is_heard=True)
    assert pending.outcome.result() == Effect(0, "1", 10)
    assert worker.tail.position == 1
    assert worker.begin("token-a", "1") == 0


async def test_an_acknowledgement_waits_for_what_stands_before_the_record() -> None:
    log = Log()
    one, other = Worker(log, 10), Worker(log, 20)
    other.begin("token-a", "other")
    pending = one.begin("token-a", "one")
    other.land(0, is_heard=True)
    one.land(0, is_heard=True)
    assert isinstance(pending, Pending)
    assert not pending.outcome.done()
    one.read(1)
    assert pending.outcome.result() == Effect(0, "other", 20)


async def test_a_record_that_landed_too_far_behind_is_said_not_to_count() -> None:
    log = Log()
    worker = Worker(log, 10)
    pending = worker.begin("token-a", "1")
    for number in range(LOOK_BACK_MAX + 1):
        log.append(Stamp(f"token-{number}", "1", 10, number))
    worker.land(0, is_heard=True)
    assert isinstance(pending, Pending)
    assert isinstance(pending.outcome.result(), Unavailable)
    worker.read(LOOK_BACK_MAX + 10)
    assert worker.tail.find(token_digest("token-a")) is None
    assert worker.tail.pending == {}


def test_tokens_are_forgotten_when_their_window_is_over_and_not_before() -> None:
    tail = Tail(PLACE, 0, 10_000, remembers=True)
    for offset in range(4_000):
        tail.see(Seen(offset, str(offset).encode(), "1", offset, offset))
    tail.forget(before_us=2_500)
    kept = [offset for offset in range(4_000) if tail.find(str(offset).encode()) is not None]
    assert kept[-1] == 3_999
    assert 1_000 < kept[0] <= 2_500
    assert kept == list(range(kept[0], 4_000))


def test_a_tail_that_is_full_says_so_instead_of_forgetting() -> None:
    tail = Tail(PLACE, 0, 2, remembers=True)
    for offset in range(2):
        tail.see(Seen(offset, str(offset).encode(), "1", offset, offset))
    assert not tail.is_full
    tail.see(Seen(2, b"one more", "1", 2, 2))
    assert tail.is_full
    assert tail.token_count == 2


async def test_a_tail_that_ends_settles_everything() -> None:
    worker = Worker(Log(), 10)
    pending = worker.begin("token-a", "1")
    grown = worker.tail.grown
    unsettled: TauluError = WriteOutcomeUnknown("ended")
    worker.tail.close(Unavailable("ended"), unsettled)
    assert isinstance(pending, Pending)
    assert pending.outcome.result() is unsettled
    assert grown.is_set()
