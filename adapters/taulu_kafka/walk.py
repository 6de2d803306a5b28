"""Walking a partition record by record from any offset, on a reader's thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from taulu.model import OffsetOutOfRange
from taulu_kafka._driver import Consumer, DriverError, Event, Fetched, Place, Reached, Stumbled
from taulu_kafka.readers import Budget
from taulu_kafka.scan import Counted, NeedsEarlier, Scan
from taulu_kafka.stamp import LOOK_BACK_MAX

_LOOK_BACK = 32
"""How many records before the first are read at once, because most need no more."""
_TAKE_MAX = 500
BEHIND_REST_S = 0.05
"""How long to wait for a broker that is behind."""
_RESTARTS_MAX = 10
_GONE = frozenset({"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"})


@dataclass(frozen=True, slots=True)
class Step:
    """One record was passed."""

    next_offset: int
    counted: Counted | None
    """The record, when it counts."""


@dataclass(frozen=True, slots=True)
class End:
    """There is nothing more for now."""

    offset: int


class Behind(Exception):
    """The broker that answered has not heard of records that are known to be there."""


class Restart(Exception):
    """What was assigned does not suit; begin again."""


@dataclass(slots=True)
class Walk:
    """One walk along a partition."""

    consumer: Consumer
    budget: Budget
    place: Place
    position: int
    """The offset of the next record to be judged."""
    low: int = 0
    """The first offset that the partition may have."""
    end_known: int = 0
    """What the end is at least; a broker that says less is behind, and is asked again."""
    look_back: int = _LOOK_BACK

    def steps(self) -> Generator[Step | End]:
        """Yield every record from the position on, and the end when it is reached.

        Raises:
            OffsetOutOfRange: The position is before the first offset or past the end.
        """
        self.consumer.learn(self.place, self.budget.left_s())
        restarts = 0
        while restarts < _RESTARTS_MAX:
            restarts += 1
            base = max(self.low, self.position - self.look_back)
            self.consumer.assign(self.place, base)
            try:
                yield from self._from(base)
            except NeedsEarlier as needed:
                # The second time is the last: nothing lies further back than this.
                is_first = self.look_back == _LOOK_BACK
                wanted = self.position - needed.offset if is_first else 0
                self.look_back = wanted if 0 < wanted < LOOK_BACK_MAX else LOOK_BACK_MAX
            except Behind:
                restarts = 0
                self.budget.rest(BEHIND_REST_S)
            except Restart:
                self._find_low()
            else:
                return
        raise DriverError("OFFSET_OUT_OF_RANGE", "the partition's first offset does not hold still")

    @property
    def end(self) -> int:
        """The end of the partition as the last fetch saw it."""
        return max(self.position, self.consumer.cached_end(self.place))

    def _from(self, base: int) -> Generator[Step | End]:
        scan = Scan(base, self.position, self.low)
        while True:
            has_fetched = False
            for event in self.consumer.take(_TAKE_MAX, self.budget.slice_s()):
                has_fetched = has_fetched or isinstance(event, Fetched)
                found = self._one(scan, event)
                if found is not None:
                    yield found
                if isinstance(found, End):
                    return
            if has_fetched and self.position == self.consumer.cached_end(self.place):
                # The fetch that brought these knew the end; the next would only wait there.
                yield self._end(self.position)
                return

    def _one(self, scan: Scan, event: Event) -> Step | End | None:
        if isinstance(event, Fetched):
            counted = scan.judge(event)
            if event.offset < scan.start:
                return None
            self.position = event.offset + 1
            return Step(self.position, counted)
        if isinstance(event, Reached):
            if event.offset < self.position:
                raise Behind if self.position <= self.end_known else Restart
            self.position = event.offset
            return self._end(event.offset)
        return self._stumble(event)

    def _end(self, offset: int) -> End:
        if offset < self.end_known:
            raise Behind
        return End(offset)

    def _stumble(self, event: Stumbled) -> None:
        if event.error.name in _GONE:
            raise Restart from event.error
        if event.place is not None:
            raise event.error
        # Trouble of one connection; the driver makes another, and the budget bounds the wait.

    def _find_low(self) -> None:
        """Ask where the partition begins and ends, when it does not begin where it was thought."""
        low, end = self.consumer.watermarks(self.place, self.budget.left_s())
        if end < self.position <= self.end_known:
            raise DriverError("OFFSET_NOT_AVAILABLE", "the broker does not know of the records yet")
        if not low <= self.position <= end:
            raise out_of_range(self.place, self.position, low, end)
        self.low = low


def out_of_range(place: Place, offset: int, earliest: int, end: int) -> OffsetOutOfRange:
    """Return the refusal of an offset."""
    return OffsetOutOfRange(
        f"offset {offset} of partition {place.partition} of topic {place.topic} is not kept: the "
        f"earliest is {earliest}, the end is {end}; begin there",
        details={"earliest": str(earliest), "end": str(end)},
    )
