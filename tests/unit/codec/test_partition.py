"""Log partitions are those that Kafka's own clients choose.

The hashes are the vectors of Kafka's UtilsTest.testMurmur2.
"""

from __future__ import annotations

import pytest

from taulu.codec import log_partition
from taulu.codec.partition import murmur2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected % 2**32


def test_partitions_are_in_range_and_used_evenly() -> None:
    counts = [0] * 7
    for number in range(7_000):
        counts[log_partition(str(number).encode(), 7)] += 1
    assert min(counts) > 800
