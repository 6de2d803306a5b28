from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration

from taulu.model import Consistency, Facts, InvalidArgument, InvalidToken, Level, Source
from taulu.v1 import consistency_pb2 as pb
from taulu.wire.facts import consistency_from, facts_message, level_from, token_from
from tests.unit.policy.parts import DrivenClock


@pytest.mark.parametrize("level", Level)
def test_levels_have_the_same_numbers_on_the_wire(level: Level):
    assert pb.ConsistencyLevel.Name(level.value) == f"CONSISTENCY_LEVEL_{level.name}"  # type: ignore[arg-type]
    assert level_from(level.value) is level


def test_no_level_means_the_tables_own():
    assert level_from(0) is None
    assert consistency_from(pb.Consistency()) == Consistency()


def test_an_unknown_level_is_refused():
    with pytest.raises(InvalidArgument, match="LINEARIZABLE"):
        level_from(17)


def test_a_bound_is_taken_to_the_microsecond_rounded_up():
    asked = pb.Consistency(
        level=pb.CONSISTENCY_LEVEL_BOUNDED_STALENESS, max_staleness=Duration(seconds=1, nanos=1)
    )
    assert consistency_from(asked).staleness_us_max == 1_000_001


@pytest.mark.parametrize(
    ("level", "bound"),
    [
        (pb.CONSISTENCY_LEVEL_QUORUM, Duration(seconds=1)),
        (pb.CONSISTENCY_LEVEL_BOUNDED_STALENESS, Duration(seconds=-1)),
        (pb.CONSISTENCY_LEVEL_BOUNDED_STALENESS, Duration()),
    ],
)
def test_a_bound_that_makes_no_sense_is_refused(level: pb.ConsistencyLevel, bound: Duration):
    with pytest.raises(InvalidArgument, match="max_staleness"):
        consistency_from(pb.Consistency(level=level, max_staleness=bound))


@pytest.mark.parametrize("token", ["nonsense", "v1:", "v1:-1", "v1:1.5", "v2:1", "v1:" + "9" * 19])
def test_a_damaged_session_token_is_refused(token: str):
    with pytest.raises(InvalidToken):
        consistency_from(pb.Consistency(session_token=token))


@pytest.mark.parametrize("source", Source)
def test_facts_say_what_was_delivered(source: Source):
    clock = DrivenClock(wall_us=2_500_000)
    facts = facts_message(Facts(Level.QUORUM, 42, as_of_us=1_000_000, source=source), clock)
    assert facts.consistency == pb.CONSISTENCY_LEVEL_QUORUM
    assert pb.Source.Name(facts.source) == f"SOURCE_{source.name}"
    assert (facts.version, facts.age.ToMicroseconds()) == (42, 1_500_000)
    assert (facts.as_of_us, facts.worker) == (1_000_000, 0)
    again = consistency_from(pb.Consistency(session_token=facts.session_token))
    assert again.session_version == 42


def test_an_age_is_never_below_zero_when_the_clock_steps_back():
    facts = facts_message(Facts(Level.QUORUM, 0, as_of_us=5), DrivenClock(wall_us=1))
    assert facts.age.ToMicroseconds() == 0


def test_a_write_without_a_token_is_told_how_to_make_one():
    with pytest.raises(InvalidToken, match="random UUID"):
        token_from(pb.IdempotencyToken())
