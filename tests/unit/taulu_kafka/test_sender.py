from __future__ import annotations

import asyncio

import pytest

from taulu_kafka import sender as sender_module
from taulu_kafka._driver import Done, DriverError, Fetched
from taulu_kafka.sender import Sender
from tests.unit.taulu_kafka.parts import record


class FakeProducer:
    """A producer that settles what it is told to, or never sends again."""

    made: list[FakeProducer] = []  # noqa: RUF012 - each test begins with its own

    def __init__(self, config: object) -> None:
        self.made.append(self)
        self.waiting: list[Done] = []
        self.refuses: DriverError | None = None
        self.fails: DriverError | None = None
        self.is_purged = False

    def produce(self, message: Fetched, done: Done) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.waiting.append(done)

    def poll(self, timeout_s: float) -> None:
        for offset, done in enumerate(self.waiting):
            done(self.fails, offset)
        self.waiting.clear()

    def flush(self, timeout_s: float) -> int:
        self.poll(timeout_s)
        return 0

    def purge(self) -> None:
        self.is_purged = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeProducer]:
    monkeypatch.setattr(FakeProducer, "made", [])
    monkeypatch.setattr(sender_module, "Producer", FakeProducer)
    return FakeProducer.made


async def sent(sender: Sender) -> tuple[DriverError | None, int]:
    told: asyncio.Future[tuple[DriverError | None, int]] = (
        asyncio.get_running_loop().create_future()
    )
    sender.send(record(-1), lambda error, offset: told.set_result((error, offset)))
    return await asyncio.wait_for(told, 5)


async def test_what_became_of_a_record_is_told_on_the_loop(made: list[FakeProducer]) -> None:
    sender = Sender({})
    sender.start()
    assert await sent(sender) == (None, 0)
    await asyncio.to_thread(sender.stop, 1.0)
    assert len(made) == 1


async def test_a_producer_that_will_never_send_again_is_replaced(made: list[FakeProducer]) -> None:
    sender = Sender({})
    sender.start()
    made[0].fails = DriverError("OUT_OF_ORDER_SEQUENCE_NUMBER", "lost", is_fatal=True)
    error, _ = await sent(sender)
    assert error is made[0].fails
    assert await sent(sender) == (None, 0)
    assert len(made) == 2

    made[1].refuses = DriverError("_FATAL", "lost")
    with pytest.raises(DriverError):
        sender.send(record(-1), lambda error, offset: None)
    assert await sent(sender) == (None, 0)
    await asyncio.to_thread(sender.stop, 1.0)
    assert [producer.is_purged for producer in made] == [True, True, False]


async def test_what_is_settled_by_the_last_flush_is_told_too(made: list[FakeProducer]) -> None:
    sender = Sender({})
    told: list[int] = []
    sender.send(record(-1), lambda error, offset: told.append(offset))
    sender.start()
    await asyncio.to_thread(sender.stop, 1.0)
    await asyncio.sleep(0)
    assert told == [0]
