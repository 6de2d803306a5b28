"""Which of Taulu's errors each of Kafka's is: one table, by the names of Kafka's protocol."""

from __future__ import annotations

from taulu.model import (
    ConfigError,
    Internal,
    LimitExceeded,
    Overloaded,
    StorageFull,
    TauluError,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_kafka._driver import DriverError

_RETRY_S = 0.2

_Rule = tuple[type[TauluError], str]

_REFUSED: dict[str, _Rule] = {
    "_QUEUE_FULL": (Overloaded, "has too many records waiting to be sent; send again later"),
    "NOT_ENOUGH_REPLICAS": (Unavailable, "has too few replicas in step to be written safely"),
    "NOT_LEADER_FOR_PARTITION": (Unavailable, "is changing its leader"),
    "LEADER_NOT_AVAILABLE": (Unavailable, "has no leader at the moment"),
    "UNKNOWN_TOPIC_OR_PART": (Unavailable, "is not known to the cluster; was it deleted?"),
    "_UNKNOWN_TOPIC": (Unavailable, "is not known to the cluster; was it deleted?"),
    "_UNKNOWN_PARTITION": (Unavailable, "is not known to the cluster; was it deleted?"),
    "MSG_SIZE_TOO_LARGE": (LimitExceeded, "takes no record of this size (max.message.bytes)"),
    "RECORD_LIST_TOO_LARGE": (LimitExceeded, "takes no batch of this size (segment.bytes)"),
    "INVALID_TIMESTAMP": (
        Unavailable,
        "refuses the record's time: set the clocks right (message.timestamp.after.max.ms)",
    ),
    "TOPIC_AUTHORIZATION_FAILED": (ConfigError, "may not be used with these credentials"),
    "GROUP_AUTHORIZATION_FAILED": (ConfigError, "may not be read with these credentials"),
    "CLUSTER_AUTHORIZATION_FAILED": (ConfigError, "may not be written with these credentials"),
    "POLICY_VIOLATION": (ConfigError, "breaks a policy of the cluster"),
    "INVALID_CONFIG": (ConfigError, "was given a setting that the cluster refuses"),
    # Brokers that start with the gateway are not counted before they have joined.
    "INVALID_REPLICATION_FACTOR": (
        Unavailable,
        "is to have more replicas than brokers have joined: lower `replication`",
    ),
    "_INVALID_ARG": (ConfigError, "was refused a setting by the driver"),
}
"""Errors after which nothing was written."""

_FAILED: dict[str, _Rule] = {
    # A record that waits to be sent again was sent before.
    "_PURGE_QUEUE": (Unavailable, "is being closed"),
    "_FATAL": (Unavailable, "is getting a new producer; send again"),
    "_MSG_TIMED_OUT": (Unavailable, "did not answer in time"),
    "_TIMED_OUT": (Unavailable, "did not answer in time"),
    "_TRANSPORT": (Unavailable, "cannot be reached"),
    "_ALL_BROKERS_DOWN": (Unavailable, "cannot be reached: no broker answers"),
    "_RESOLVE": (Unavailable, "cannot be reached: a broker's name is not known"),
    "_AUTHENTICATION": (ConfigError, "refused the credentials"),
    "SASL_AUTHENTICATION_FAILED": (ConfigError, "refused the credentials"),
    "_SSL": (ConfigError, "could not be spoken to over TLS"),
    "KAFKA_STORAGE_ERROR": (StorageFull, "has trouble with its disk"),
}
"""Errors that say nothing about what was written."""


START_THEM = "; start the brokers, or mend `servers`"
"""What to do about trouble that may pass, where a gateway starts."""


def to_taulu(error: DriverError, what: str, advice: str = "") -> TauluError:
    """Return the error that callers see when nothing was being written.

    Args:
        error: The driver's.
        what: What it befell, to begin the message with.
        advice: What to do about trouble that may pass, to follow its meaning.
    """
    kind, meaning = _REFUSED.get(error.name) or _FAILED.get(error.name) or _unknown(error)
    to_do = advice if kind is Unavailable else ""
    return _made(kind, f"{what} {meaning}{to_do}", error)


def to_taulu_after_send(error: DriverError, what: str) -> TauluError:
    """Return the error that callers see for a record that was handed to the driver.

    Only what Kafka surely did not write is told as such; of the rest nothing is known.
    """
    # The driver ends a producer of which it lost track, whatever the last answer said.
    rule = None if error.is_fatal else _REFUSED.get(error.name)
    if rule is not None:
        return _made(rule[0], f"{what} {rule[1]}", error)
    return _made(
        WriteOutcomeUnknown,
        f"{what} did not confirm the record, so it may or may not be there; send it again with "
        "the same token to settle it",
        error,
    )


def _unknown(error: DriverError) -> _Rule:
    if error.name.startswith("_") or error.name.isupper():
        return Unavailable, "had an error"
    return Internal, "had an error that no one expected"


def _made(kind: type[TauluError], message: str, error: DriverError) -> TauluError:
    is_worth_trying = kind in (Unavailable, Overloaded, WriteOutcomeUnknown)
    return kind(
        f"{message} (Kafka: {error})",
        details={"kafka": error.name},
        retry_after_s=_RETRY_S if is_worth_trying else None,
    )
