"""What is asked of consistency, and what a reply delivered, between messages and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from taulu.codec import session_of, session_token
from taulu.model.clock import Clock
from taulu.model.consistency import Consistency, Facts, Level, Source
from taulu.model.errors import InvalidArgument, InvalidToken
from taulu.model.token import IdempotencyToken
from taulu.v1 import consistency_pb2 as pb
from taulu.wire.values import duration_message, duration_us

_SOURCES: Mapping[Source, pb.Source] = {
    Source.NEAR_CACHE: pb.SOURCE_NEAR_CACHE,
    Source.SHARED_CACHE: pb.SOURCE_SHARED_CACHE,
    Source.REPLICA: pb.SOURCE_REPLICA,
    Source.PRIMARY: pb.SOURCE_PRIMARY,
    Source.CLIENT_CACHE: pb.SOURCE_CLIENT_CACHE,
}

_SOURCES_BY_NUMBER = {number: source for source, number in _SOURCES.items()}


def level_from(number: int) -> Level | None:
    """Return a level; None when the table's own is asked for.

    The numbers of `Level` are those of the wire, which a test holds together.
    """
    if number == pb.CONSISTENCY_LEVEL_UNSPECIFIED:
        return None
    try:
        return Level(number)
    except ValueError as error:
        names = ", ".join(level.name for level in Level)
        raise InvalidArgument(f"{number} is no consistency level; use {names}") from error


def level_message(level: Level) -> pb.ConsistencyLevel:
    """Return a level as its number on the wire."""
    return cast(pb.ConsistencyLevel, level.value)


def consistency_from(message: pb.Consistency) -> Consistency:
    """Return what a read asks for.

    Raises:
        InvalidArgument: The level is unknown, or a bound goes with another level.
        InvalidToken: The session token is damaged.
    """
    level = level_from(message.level)
    bound_us: int | None = None
    if message.HasField("max_staleness"):
        bound_us = duration_us(message.max_staleness)
        if level is not Level.BOUNDED_STALENESS or bound_us <= 0:
            raise InvalidArgument(
                "max_staleness must be above zero and goes with BOUNDED_STALENESS alone"
            )
    session = session_of(message.session_token)
    return Consistency(level, bound_us, session.version, session.time_us)


def facts_message(facts: Facts, clock: Clock, worker: int = 0) -> pb.ReplyFacts:
    """Return what a reply delivered, with its age as of now, and which run of a worker did."""
    age_us = max(0, clock.now_us() - facts.as_of_us)
    return pb.ReplyFacts(
        consistency=level_message(facts.level),
        version=facts.version,
        age=duration_message(age_us),
        source=_SOURCES[facts.source],
        session_token=session_token(facts.version, facts.session_us),
        stale=facts.is_stale,
        as_of_us=facts.as_of_us,
        worker=worker,
    )


def token_from(message: pb.IdempotencyToken) -> IdempotencyToken:
    """Return an idempotency token.

    Raises:
        InvalidToken: It was left out.
    """
    if not message.nonce:
        raise InvalidToken(
            "the write has no idempotency token; set token.nonce to a random UUID and "
            "token.create_time_us to now, and keep both when sending it again"
        )
    return IdempotencyToken(message.create_time_us, message.nonce)


def facts_from(message: pb.ReplyFacts, now_us: int) -> Facts:
    """Return what a reply delivered; its age is counted back from now."""
    return Facts(
        Level(message.consistency),
        message.version,
        now_us - duration_us(message.age),
        _SOURCES_BY_NUMBER[message.source],
        session_of(message.session_token).time_us,
        message.stale,
    )


def consistency_message(consistency: Consistency) -> pb.Consistency:
    """Return what a read asks for as a message."""
    bound_us = consistency.staleness_us_max
    version, time_us = consistency.session_version, consistency.session_us
    return pb.Consistency(
        level=pb.CONSISTENCY_LEVEL_UNSPECIFIED
        if consistency.level is None
        else level_message(consistency.level),
        max_staleness=None if bound_us is None else duration_message(bound_us),
        session_token=session_token(version, time_us) if version else "",
    )


def token_message(token: IdempotencyToken) -> pb.IdempotencyToken:
    """Return an idempotency token as a message."""
    return pb.IdempotencyToken(create_time_us=token.create_time_us, nonce=token.nonce)
