"""What a worker knows of one partition: how far it has read, and which tokens it has seen there.

All of it belongs to the event loop, so that looking a token up and sending its record with the
offset up to which it was looked up are one step.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from taulu.model import TauluError, Unavailable
from taulu_kafka._driver import Place
from taulu_kafka.stamp import LOOK_BACK_MAX

_MARK_EVERY = 1_024
"""How many tokens are forgotten at a time."""


class Seen(NamedTuple):
    """What the tail keeps of one record that it read."""

    offset: int
    digest: bytes
    effect: str
    time_us: int
    checked: int


class Effect(NamedTuple):
    """The record that stands for a token."""

    offset: int
    effect: str
    time_us: int


Outcome: TypeAlias = Effect | TauluError


@dataclass(slots=True)
class Pending:
    """A record that was sent and is not settled, and everyone who waits for it.

    The outcome is a value, not an exception, because there may be no one left to hear it.
    """

    outcome: asyncio.Future[Outcome]
    sent: Seen
    """As it was sent; its offset is not known."""

    def settle(self, outcome: Outcome) -> None:
        """Tell everyone; the first outcome stands."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


@dataclass(slots=True)
class Tail:
    """One partition as far as this worker has read it."""

    place: Place
    position: int
    """The offset of the next record; every record before it has been seen."""
    tokens_max: int
    remembers: bool
    """Whether tokens are kept: not for a partition that is only followed."""
    time_us: int = 0
    """The latest time of a record that was seen."""
    pending: dict[bytes, Pending] = field(default_factory=dict[bytes, Pending])
    is_full: bool = False
    """Whether a token was left out for want of room, so that none may be looked up."""
    full_timer: asyncio.TimerHandle | None = None
    """When a full tail ends, so that it is read anew."""
    end: TauluError | None = None
    """Why the tail is of no more use."""
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, whenever the position moves or the tail ends."""
    _offsets: dict[bytes, int] = field(default_factory=dict[bytes, int])
    _marks: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    """Offsets with the latest time up to them, to forget by."""

    def find(self, digest: bytes) -> int | None:
        """Return the offset of the record that stands for a token; None when there is none."""
        return self._offsets.get(digest)

    @property
    def token_count(self) -> int:
        """How many tokens are kept."""
        return len(self._offsets)

    def see(self, seen: Seen) -> None:
        """Take the next record of Taulu's."""
        if seen.offset < self.position:
            return
        self.position = seen.offset + 1
        self.time_us = max(self.time_us, seen.time_us)
        if seen.offset - seen.checked > LOOK_BACK_MAX or not self.remembers:
            return
        before = self._offsets.get(seen.digest)
        if before is not None and before >= seen.checked:
            return
        self._remember(seen.digest, seen.offset, is_new=before is None)
        pending = self.pending.pop(seen.digest, None)
        if pending is not None:
            pending.settle(Effect(seen.offset, seen.effect, self.time_us))

    def skip_to(self, offset: int) -> None:
        """Take note that there is nothing of Taulu's before an offset."""
        self.position = max(self.position, offset)

    def acknowledge(self, pending: Pending, offset: int) -> None:
        """Take note of where a record of this worker's stands.

        When nothing stands between what was seen and the record, it is seen with that; else
        what stands between must be read first, because it may have the same token.
        """
        if offset == self.position:
            self.see(pending.sent._replace(offset=offset))
            self.wake()
        if offset - pending.sent.checked > LOOK_BACK_MAX:
            self.give_up(
                pending,
                Unavailable(
                    f"partition {self.place.partition} of topic {self.place.topic} grew by more "
                    f"than {LOOK_BACK_MAX} records while the record was under way, so it does "
                    "not count; send it again",
                    details={"limit": "look_back", "value": str(LOOK_BACK_MAX)},
                    retry_after_s=0.1,
                ),
            )

    def give_up(self, pending: Pending, error: TauluError) -> None:
        """Settle a record with an error."""
        if self.pending.get(pending.sent.digest) is pending:
            del self.pending[pending.sent.digest]
        pending.settle(error)

    def close(self, error: TauluError, unsettled: TauluError) -> None:
        """End the tail; what is under way is settled as given."""
        self.end = error
        if self.full_timer is not None:
            self.full_timer.cancel()
        for pending in list(self.pending.values()):
            self.give_up(pending, unsettled)
        self.wake()

    def wake(self) -> None:
        """Wake everyone who waits for the tail to move."""
        self.grown.set()
        self.grown = asyncio.Event()

    def forget(self, before_us: int) -> None:
        """Forget tokens of records from before a time, some at a time."""
        while self._marks and self._marks[0][1] < before_us:
            limit, _ = self._marks.popleft()
            old: list[bytes] = []
            for digest, offset in self._offsets.items():
                if offset >= limit:
                    break
                old.append(digest)
            for digest in old:
                del self._offsets[digest]

    def _remember(self, digest: bytes, offset: int, *, is_new: bool) -> None:
        if is_new and len(self._offsets) >= self.tokens_max:
            self.is_full = True
            return
        # Kept in order of offset, so that the oldest stand in front.
        self._offsets.pop(digest, None)
        self._offsets[digest] = offset
        if len(self._offsets) % _MARK_EVERY == 0:
            self._marks.append((offset + 1, self.time_us))
