"""Channels over the carrier in memory; the test drives the clock, and has them beat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from taulu.cache import channel as channel_room
from taulu.cache.channel import PAUSE_S, Channel, ChannelOptions
from taulu.cache.send_queue import MESSAGE_BYTES_MAX
from taulu.model import Unavailable
from taulu.spi import Carrier
from taulu_memory import MemorySharedCache
from tests.unit.policy.parts import DrivenClock

SKEW_S = 0.5
OPTIONS = ChannelOptions(beat_s=1_000.0, skew_s=SKEW_S, forget_s=600.0)


@dataclass
class Net:
    """Channels that share a carrier and a clock."""

    tasks: asyncio.TaskGroup
    clock: DrivenClock = field(default_factory=lambda: DrivenClock(1_000_000_000, 1_000.0))
    shared: MemorySharedCache = field(init=False)
    news: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shared = MemorySharedCache(self.clock)

    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self.running.append(self.tasks.create_task(work))
        return self.running[-1]

    async def join(self, name: str, epoch: int = 1) -> Channel:
        heard = self.news.setdefault(name, [])

        def on_news(table: str, places: Sequence[bytes]) -> None:
            heard.extend((table, place) for place in places)

        carrier = self.shared.carrier
        channel = Channel(name, epoch, carrier, self.clock, OPTIONS, on_news, self.run)
        await channel.open()
        await self.settle()
        return channel

    async def settle(self) -> None:
        """Let everything that is under way arrive."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def beat(self, *channels: Channel) -> None:
        """Let channels say that they are there, and see who else is, as their tasks would."""
        for channel in channels:
            await channel.beat()
        for channel in channels:
            await channel.beat()
        await self.settle()

    def pass_s(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.clock.wall_us += int(seconds * 1e6)


@dataclass
class HeldWay:
    """One sender's way to a carrier, on which messages are held until the test lets them go."""

    carrier: Carrier
    is_free: asyncio.Event = field(default_factory=asyncio.Event)
    is_broken: bool = False
    sends: int = 0

    async def send(self, message: bytes) -> None:
        self.sends += 1
        await self.is_free.wait()
        if self.is_broken:
            raise Unavailable("the connection broke")
        await self.carrier.send(message)

    async def strike(self, member: str) -> None:
        await self.carrier.strike(member)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a message be held for as long as a busy machine may need."""
    monkeypatch.setattr(channel_room, "SEND_S_MAX", 60.0)


def hold(channel: Channel) -> HeldWay:
    channel.carrier = way = HeldWay(channel.carrier)  # type: ignore[assignment]
    return way


@asynccontextmanager
async def net() -> AsyncGenerator[Net]:
    async with asyncio.TaskGroup() as tasks:
        made = Net(tasks)
        yield made
        for task in made.running:
            task.cancel()


async def test_news_arrive_at_the_others_and_not_at_the_sender() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await ada.announce("shop.orders", [b"1", b"2"])
        await bob.announce("shop.orders", [b"3"])
        await made.settle()
        assert made.news["bob"] == [("shop.orders", b"1"), ("shop.orders", b"2")]
        assert made.news["ada"] == [("shop.orders", b"3")]


async def test_a_channel_vouches_up_to_the_last_beat_of_the_slowest_member() -> None:
    async with net() as made:
        ada, bob, eve = [await made.join(name) for name in ("ada", "bob", "eve")]
        await made.beat(ada, bob, eve)
        began_s = made.clock.seconds
        assert ada.trust().until_s == pytest.approx(began_s - SKEW_S)
        assert ada.trust().since_s <= began_s
        made.pass_s(3.0)
        await made.beat(ada, bob)
        assert ada.trust().until_s == pytest.approx(began_s - SKEW_S)
        await made.beat(eve)
        assert ada.trust().until_s == pytest.approx(began_s + 3.0 - SKEW_S)


async def test_a_lost_message_shows_by_its_number_and_ends_the_trust_in_what_was_read() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        made.pass_s(1.0)
        lost, ada.carrier = ada.carrier, MemorySharedCache(made.clock).carrier
        await ada.announce("shop.orders", [b"1"])
        ada.carrier = lost
        before = bob.trust().since_s
        await made.beat(ada)
        assert bob.trust().since_s == made.clock.seconds > before
        assert bob.gaps == 1


async def test_a_write_that_could_not_be_told_counts_as_a_gap() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        made.shared.carrier.is_up = False
        await ada.announce("shop.orders", [b"1"])
        made.shared.carrier.is_up = True
        made.pass_s(PAUSE_S)
        await asyncio.sleep(0.15)
        await made.beat(ada, bob)
        assert bob.trust().since_s == made.clock.seconds
        assert bob.gaps >= 2


async def test_losing_a_write_on_purpose_ends_the_trust_of_all() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        made.pass_s(1.0)
        ada.lose()
        await made.beat(ada)
        assert ada.trust().since_s == bob.trust().since_s == made.clock.seconds


async def test_nothing_is_vouched_for_while_the_way_is_broken() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        made.shared.carrier.is_up = False
        await made.settle()
        assert bob.trust().until_s == float("-inf")


async def test_a_member_that_is_listed_but_was_never_heard_is_waited_for() -> None:
    async with net() as made:
        ada = await made.join("ada")
        await made.beat(ada)
        assert ada.trust().until_s > 0
        await made.shared.carrier.enrol("eve")
        await made.beat(ada)
        assert ada.trust().until_s == float("-inf")
        await made.shared.carrier.strike("eve")
        await made.beat(ada)
        assert ada.trust().until_s > 0


async def test_a_member_that_takes_leave_is_not_waited_for() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        await bob.close()
        made.pass_s(5.0)
        await made.beat(ada)
        assert ada.trust().until_s == pytest.approx(made.clock.seconds)


async def test_a_member_that_begins_anew_ends_the_trust_in_what_was_read() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob", epoch=1)
        await made.beat(ada, bob)
        made.pass_s(1.0)
        await made.join("bob", epoch=2)
        assert ada.trust().since_s == made.clock.seconds


async def test_a_silent_member_is_forgotten_after_a_time_and_cut_off_before_it() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        made.pass_s(OPTIONS.forget_s / 2 + 1)
        await made.beat(ada)
        with pytest.raises(Unavailable, match="could not tell the others of writes for 301 s"):
            bob.check_not_cut_off("shop.orders")
        ada.check_not_cut_off("shop.orders")
        assert ada.trust().until_s < made.clock.seconds - 300
        made.pass_s(OPTIONS.forget_s / 2)
        await made.beat(ada)
        assert ada.trust().until_s == pytest.approx(made.clock.seconds)
        assert await made.shared.carrier.members() == {"ada"}


async def test_a_list_that_was_lost_is_entered_again() -> None:
    async with net() as made:
        ada = await made.join("ada")
        await made.shared.carrier.strike("ada")
        await made.beat(ada)
        assert await made.shared.carrier.members() == {"ada"}


async def test_a_gateway_that_cannot_tell_the_others_does_not_start() -> None:
    async with net() as made:
        made.shared.carrier.is_up = False
        with pytest.raises(Unavailable):
            await made.join("ada")


async def test_garbage_is_a_gap_and_no_news() -> None:
    async with net() as made:
        ada = await made.join("ada")
        await made.shared.carrier.send(b"\xc1garbage")
        await made.settle()
        assert ada.gaps == 1
        assert made.news["ada"] == []


async def test_many_places_go_in_several_messages_and_a_long_one_in_its_own() -> None:
    async with net() as made:
        ada, _ = await made.join("ada"), await made.join("bob")
        places = [bytes([n]) * (MESSAGE_BYTES_MAX // 2) for n in range(5)]
        places.append(b"long" * MESSAGE_BYTES_MAX)
        await ada.announce("shop.orders", places)
        await made.settle()
        assert [place for _, place in made.news["bob"]] == places


async def test_what_a_forgotten_member_said_last_may_have_been_missed() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        made.pass_s(OPTIONS.forget_s + 1.0)
        await made.beat(bob)
        assert bob.trust().since_s == made.clock.seconds
        assert bob.trust().until_s == pytest.approx(made.clock.seconds)


async def test_a_member_that_goes_unheard_leaves_doubt_behind() -> None:
    async with net() as made:
        bob = await made.join("bob")
        await made.shared.carrier.enrol("ada")
        await made.beat(bob)
        assert bob.trust().until_s == float("-inf")
        made.pass_s(1.0)
        await made.shared.carrier.strike("ada")
        await made.beat(bob)
        assert bob.trust().since_s == made.clock.seconds


async def test_a_member_that_comes_back_without_leave_leaves_doubt_in_all() -> None:
    async with net() as made:
        bob = await made.join("bob")
        await made.shared.carrier.enrol("ada")
        await made.beat(bob)
        made.pass_s(1.0)
        ada = await made.join("ada", epoch=2)
        await made.beat(ada, bob)
        assert bob.trust().since_s == made.clock.seconds
        assert bob.trust().until_s == pytest.approx(made.clock.seconds - SKEW_S)


async def test_nothing_follows_the_last_message() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        await ada.close()
        await ada.beat()
        await made.beat(bob)
        assert bob.gaps == 0
        assert bob.trust().until_s == pytest.approx(made.clock.seconds)
        assert await made.shared.carrier.members() == frozenset({"bob"})


@pytest.mark.usefixtures("patient")
async def test_fifty_writers_are_told_of_in_one_message_after_the_one_on_its_way() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        way = hold(ada)
        places = [b"%d" % n for n in range(51)]
        writers: list[asyncio.Task[None]] = []
        for place in places:
            writers.append(made.tasks.create_task(ada.announce("shop.orders", [place])))
            await made.settle()
        assert way.sends == 1
        assert not any(writer.done() for writer in writers)
        way.is_free.set()
        await asyncio.gather(*writers)
        await made.settle()
        assert way.sends == 2
        assert made.news["bob"] == [("shop.orders", place) for place in places]
        assert bob.gaps == 0


@pytest.mark.usefixtures("patient")
async def test_a_message_that_fails_ends_the_trust_in_what_all_its_writers_wrote() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        way = hold(ada)
        places = [b"%d" % n for n in range(51)]
        writing = [ada.announce("shop.orders", [place]) for place in places]
        writers = [made.tasks.create_task(one) for one in writing]
        await made.settle()
        assert way.sends == 1
        way.is_broken = True
        way.is_free.set()
        await asyncio.gather(*writers)
        assert made.news["bob"] == []
        ada.carrier = way.carrier
        made.pass_s(PAUSE_S)
        await made.beat(ada)
        assert bob.trust().since_s == made.clock.seconds


@pytest.mark.usefixtures("patient")
async def test_who_takes_leave_tells_of_what_waits_first_and_of_nothing_after() -> None:
    async with net() as made:
        ada, bob = await made.join("ada"), await made.join("bob")
        await made.beat(ada, bob)
        way = hold(ada)
        one = made.tasks.create_task(ada.announce("shop.orders", [b"1"]))
        await made.settle()
        other = made.tasks.create_task(ada.announce("shop.orders", [b"2"]))
        leaving = made.tasks.create_task(ada.close())
        await made.settle()
        way.is_free.set()
        await asyncio.gather(one, other, leaving)
        await ada.announce("shop.orders", [b"late"])
        await made.beat(bob)
        assert made.news["bob"] == [("shop.orders", b"1"), ("shop.orders", b"2")]
        assert bob.gaps == 0
        assert bob.trust().until_s == pytest.approx(made.clock.seconds)
