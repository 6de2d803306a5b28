"""Which replicas may be fewer than those that answer WAIT."""

from __future__ import annotations

import contextlib

import pytest

from taulu.model import ConfigError
from taulu_redis.cluster import read_view
from taulu_redis.settings import Address
from taulu_redis.topology import Replicas

_NODES = b"""\
a1 10.0.0.1:7000@17000 master - 0 0 1 connected 0-5460
a2 10.0.0.2:7000@17000 slave a1 0 0 1 connected
a3 10.0.0.3:7000@17000 slave,nofailover a1 0 0 1 connected
b1 10.0.0.4:7000@17000 myself,master - 0 0 2 connected 5461-16383
b2 10.0.0.5:7000@17000 slave,fail b1 0 0 2 disconnected
"""


def test_replicas_of_a_cluster_are_counted_by_their_primary() -> None:
    view = read_view(_NODES, Address("10.0.0.4", 7000))
    assert view.replicas == {"a1": Replicas(2, 1), "b1": Replicas(1, 1)}


@pytest.mark.parametrize(
    ("count", "candidates", "waited", "is_refused"),
    [
        (2, 2, 2, False),
        (2, 2, 1, True),
        (2, 1, 1, True),
        (2, 1, 2, False),
        (1, 1, 0, True),
        (1, 0, 0, False),
        (1, 1, 2, False),
        (2, 2, None, False),
    ],
)
def test_every_replica_is_waited_for_where_one_may_take_over(
    count: int, candidates: int, waited: int | None, is_refused: bool
) -> None:
    refused = pytest.raises(ConfigError) if is_refused else contextlib.nullcontext()
    with refused:
        Replicas(count, candidates).check(waited, "x")
