"""The fences of the cache, each taken down: what the checker must find when one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from taulu.cache import channel as channel_room
from taulu.cache.channel import Channel
from taulu.cache.demand import Demand, Trust
from taulu.cache.entry import Entry
from taulu.cache.entry_codec import EntryCodec
from taulu.cache.flights import Flight, Flights
from taulu.cache.near import NearCache, Place
from taulu.cache.news import News
from taulu.cache.send_queue import SendQueue, _Batch
from taulu.cache.table_cache import TableCache
from taulu.model import Absent, Consistency, Level, WriteUnit, Written
from taulu.policy import caching
from taulu.policy.caching import Caching
from taulu_memory.shared_tier import MemoryTier, _Lease
from tests.cache import sim_network
from tests.cache.sim_store import ModelStore

Patch = pytest.MonkeyPatch


def no_fence_of_flights(patch: Patch) -> None:
    """Loads that a write overtakes fill the near cache."""
    patch.setattr(Flights, "fence", lambda self, place: None)


def no_lease_check(patch: Patch) -> None:
    """The shared tier takes a fill whose lease is gone."""
    keep = MemoryTier._keep

    def kept(self: MemoryTier, table: str, fill: object, now_us: int) -> bool:
        held = self._at(table, fill.place).leases.get(fill.variant)
        if held is None or held.name != fill.lease:
            lease = _Lease(fill.lease, now_us + 1_000)
            self._at(table, fill.place).leases[fill.variant] = lease
            is_kept = keep(self, table, fill, now_us)
            if held is not None:
                self._at(table, fill.place).leases[fill.variant] = held
            return is_kept
        return keep(self, table, fill, now_us)

    patch.setattr(MemoryTier, "_keep", kept)


def near_before_shared(patch: Patch) -> None:
    """A write drops the worker's own copies, and tells the others, before the shared ones."""

    async def tell(self: Caching, places: Sequence[Place], ticket: object, result: object) -> None:
        self.cache.loads.room.drop(places)
        await self.news.tell(places)
        await self.news.drop_shared(places)

    patch.setattr(Caching, "_tell", tell)


def no_drop_of_near(patch: Patch) -> None:
    """A write leaves the worker's own copies where they are."""

    async def tell(self: Caching, places: Sequence[Place], ticket: object, result: object) -> None:
        await self.news.drop_shared(places)
        await self.news.tell(places)

    patch.setattr(Caching, "_tell", tell)


def no_drop_of_shared(patch: Patch) -> None:
    """A write leaves the copies of the shared tier."""

    async def drop_shared(self: News, places: Sequence[Place]) -> None:
        del self, places

    patch.setattr(News, "drop_shared", drop_shared)


def no_news(patch: Patch) -> None:
    """A write does not tell the others."""

    async def tell(self: News, places: Sequence[Place]) -> None:
        del self, places

    patch.setattr(News, "tell", tell)


def batches_stay_open(patch: Patch) -> None:
    """What is written while a message is on its way counts as told by it."""

    async def send(self: SendQueue, batch: _Batch) -> None:
        async with self.turn:
            await self.send(batch.places)
            if self._gathering is batch:
                self._gathering = None

    patch.setattr(SendQueue, "_send", send)


def writers_do_not_wait(patch: Patch) -> None:
    """Writes are acknowledged while what they have to tell waits for its turn."""

    async def put(self: SendQueue, table: str, places: Sequence[bytes]) -> None:
        for place in places:
            self._join(table, place)

    patch.setattr(SendQueue, "put", put)


def no_gap_detection(patch: Patch) -> None:
    """Numbers that were missed go unnoticed."""
    count = Channel._count

    def counted(self: Channel, message: object) -> None:
        peer = self._peers.get(message.sender)
        if peer is not None and peer.epoch == message.epoch:
            peer.number = message.number - (0 if message.is_beat else 1)
        count(self, message)

    patch.setattr(Channel, "_count", counted)


def no_silence_detection(patch: Patch) -> None:
    """Members that are silent are trusted to have nothing to say."""

    def trust(self: Channel) -> Trust:
        return Trust(self._since_s, self.clock.monotonic())

    patch.setattr(Channel, "trust", trust)


def no_member_list(patch: Patch) -> None:
    """Members that were never heard are not waited for."""

    async def enrol(self: object, member: str) -> None:
        del self, member

    patch.setattr(sim_network._Carrier, "enrol", enrol)


def no_miss_of_the_broken_way(patch: Patch) -> None:
    """What was missed while the way was broken goes unnoticed."""
    trust = Channel.trust

    def trusted(self: Channel) -> Trust:
        found = trust(self)
        return replace(found, since_s=min(found.since_s, 0.0))

    patch.setattr(Channel, "trust", trusted)


def no_skew_in_news(patch: Patch) -> None:
    """News of a clock that is ahead counts as later than it was sent."""
    opened = channel_room.ChannelOptions

    def options(beat_s: float, skew_s: float, forget_s: float) -> object:
        del skew_s
        return opened(beat_s, 0.0, forget_s)

    patch.setattr("taulu.gateway.caches.ChannelOptions", options)


def no_skew_in_shared_entries(patch: Patch) -> None:
    """Entries of another gateway's clock are as young as that clock says."""
    decode = EntryCodec.decode

    def decoded(self: EntryCodec, data: bytes) -> Entry:
        entry = decode(self, data)
        return replace(entry, began_s=entry.began_s + self.skew_s)

    patch.setattr(EntryCodec, "decode", decoded)


def no_skew_in_sessions(patch: Patch) -> None:
    """The time in a token counts as the reader's own."""
    demand = TableCache.demand

    def demanded(self: TableCache, *asked: object) -> Demand:
        found = demand(self, *asked)
        skew_us = int(self.loads.room.options.clock_skew_s * 1e6)
        return replace(found, session_us=max(0, found.session_us - skew_us))

    patch.setattr(TableCache, "demand", demanded)


def no_bound_of_the_call(patch: Patch) -> None:
    """BOUNDED_STALENESS is served what EVENTUAL is."""
    demand = TableCache.demand

    def demanded(self: TableCache, consistency: object, *wants: object) -> Demand:
        if consistency.level is Level.BOUNDED_STALENESS:
            consistency = replace(consistency, level=Level.EVENTUAL)
        return demand(self, consistency, *wants)

    patch.setattr(TableCache, "demand", demanded)


def no_session_time(patch: Patch) -> None:
    """A session takes the time of a version for that of its acknowledgement."""
    demand = TableCache.demand

    def demanded(self: TableCache, consistency: object, *wants: object) -> Demand:
        if consistency.level is Level.SESSION:
            consistency = replace(consistency, session_us=0)
        return demand(self, consistency, *wants)

    patch.setattr(TableCache, "demand", demanded)


def no_session_version(patch: Patch) -> None:
    """A session is served any row for its version."""
    met_by = Demand.met_by

    def met(self: Demand, entry: Entry, now_s: float, now_us: int) -> bool:
        lax = replace(self, session_version=min(self.session_version, 1))
        return met_by(lax, entry, now_s, now_us)

    patch.setattr(Demand, "met_by", met)


def sessions_by_version_of_pages(patch: Patch) -> None:
    """A session is served a page for the version of one of its rows."""
    demand = TableCache.demand

    def demanded(self: TableCache, consistency: object, wants: object = ()) -> Demand:
        del wants
        return demand(self, consistency, ())

    patch.setattr(TableCache, "demand", demanded)


def absence_outlives_writes(patch: Patch) -> None:
    """What is known to be absent is not dropped for a write."""
    drop = NearCache.drop

    def dropped(self: NearCache, place: Place) -> bool:
        absent = {
            variant: entry
            for variant, entry in self.variants(place).items()
            if isinstance(entry.value, Absent)
        }
        found = drop(self, place)
        for variant, entry in absent.items():
            self.put(place, variant, entry)
        return found

    patch.setattr(NearCache, "drop", dropped)


def expired_rows_are_served(patch: Patch) -> None:
    """A copy of a row that has expired since is as good as any."""
    patch.setattr(Entry, "is_over", lambda self, now_us: False)


def no_ticket(patch: Patch) -> None:
    """A row that was written goes to the near cache though another write came between."""

    def end_write(self: Flights, ticket: Flight) -> bool:
        self._forget(ticket)
        return True

    patch.setattr(Flights, "end_write", end_write)


def repeats_fill(patch: Patch) -> None:
    """A write that is sent again fills the near cache with what it wrote once."""
    apply = ModelStore.apply

    def applied(self: ModelStore, table: str, unit: WriteUnit, version: int) -> Written:
        return replace(apply(self, table, unit, version), is_first=True)

    patch.setattr(ModelStore, "apply", applied)


def no_loss_of_failed_drops(patch: Patch) -> None:
    """Nobody hears that the shared tier may keep what was to be dropped."""
    patch.setattr(Channel, "lose", lambda self: None)


def no_refusal_when_cut_off(patch: Patch) -> None:
    """A gateway that can tell nobody goes on writing."""
    patch.setattr(Channel, "check_not_cut_off", lambda self, table: None)


def new_lists_are_believed(patch: Patch) -> None:
    """A list of members that was lost is taken for complete as soon as it is there again."""

    async def none(self: Channel) -> float:
        del self
        return 0.0

    patch.setattr(Channel, "_unsettled_s", none)


def nothing_missed_of_the_forgotten(patch: Patch) -> None:
    """Who forgets a member does not ask what it missed of it."""
    forget = Channel._forget

    async def forgot(self: Channel) -> None:
        since_s = self._since_s
        await forget(self)
        self._since_s = since_s

    patch.setattr(Channel, "_forget", forgot)


def restarts_count_as_new(patch: Patch) -> None:
    """A member that comes back counts as new for who never heard of it."""
    count = Channel._count

    def counted(self: Channel, message: object) -> None:
        peer = self._peers.get(message.sender)
        if peer is not None and not peer.epoch and message.number == 2 and not message.is_beat:
            peer.epoch, peer.number = message.epoch, 1
        count(self, message)

    patch.setattr(Channel, "_count", counted)


def loads_below_quorum(patch: Patch) -> None:
    """Entries are read at a level that may lack what was acknowledged."""
    patch.setattr(caching, "Consistency", _Weak)


class _Weak:
    """Stands for `Consistency` where loads ask for QUORUM."""

    def __new__(cls, level: Level | None = None) -> object:
        return Consistency(Level.EVENTUAL if level is Level.QUORUM else level)
