from __future__ import annotations

import pytest

from taulu.codec import KeyCodec, Stretch, stretch_of
from taulu.model import Bound, ClusteringRange
from tests.unit.policy.parts import ORDERS

KEYS = KeyCodec(ORDERS)
ONE, TWO = KEYS.clustering((1,)), KEYS.clustering((2,))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, Stretch(b"", None)),
        (Bound((1,)), None, Stretch(ONE, None)),
        (Bound((1,), exclusive=True), None, Stretch(TWO, None)),
        (None, Bound((1,)), Stretch(b"", TWO)),
        (None, Bound((1,), exclusive=True), Stretch(b"", ONE)),
        (Bound((), exclusive=True), None, Stretch(b"", b"")),
    ],
)
def test_a_range_covers_the_bytes_between_its_bounds(
    start: Bound | None, end: Bound | None, expected: Stretch
) -> None:
    assert stretch_of(KEYS, ClusteringRange(start, end)) == expected


def test_a_row_lies_from_the_low_end_up_to_the_high_one() -> None:
    stretch = Stretch(ONE, TWO)
    assert (stretch.has(ONE), stretch.has(TWO), stretch.is_empty) == (True, False, False)
    assert Stretch(TWO, ONE).is_empty
    assert not Stretch(b"", b"").has(b"")


def test_what_is_left_lies_behind_the_row_and_within_the_stretch() -> None:
    whole, middle = Stretch(b"", None), Stretch(ONE, TWO)
    assert whole.behind(ONE, reverse=False) == Stretch(ONE + b"\x00", None)
    assert whole.behind(ONE, reverse=True) == Stretch(b"", ONE)
    assert middle.behind(b"", reverse=False) == middle
    assert middle.behind(KEYS.clustering((3,)), reverse=True) == middle
