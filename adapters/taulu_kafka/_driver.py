"""Kafka's clients as this adapter uses them: the only file that touches `confluent_kafka`.

Every method raises `DriverError`. A consumer belongs to one thread; a producer may be fed by
one and polled by another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

import confluent_kafka
from confluent_kafka.admin import (
    RESOURCE_TOPIC,  # pyright: ignore[reportPrivateImportUsage] - its documentation uses it so
    AdminClient,
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage] - its documentation uses it so
    NewTopic,  # pyright: ignore[reportPrivateImportUsage] - its documentation uses it so
)

Config: TypeAlias = Mapping[str, str | int | bool]
Headers: TypeAlias = Sequence[tuple[str, bytes]]
Done: TypeAlias = Callable[["DriverError | None", int], None]
"""Told of a message's end: an error, or None and its offset. Called while polling."""

_log = logging.getLogger("taulu_kafka.librdkafka")


class DriverError(Exception):
    """An error of Kafka's, by the name that its protocol gives it."""

    def __init__(self, name: str, text: str, *, is_fatal: bool = False) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.is_fatal = is_fatal
        """Whether the client that had it is of no more use."""


def _error(raised: Exception) -> DriverError:
    """Take an exception of the driver's apart."""
    inner: Any = raised.args[0] if raised.args else None
    if isinstance(inner, confluent_kafka.KafkaError):
        return _driver_error(inner)
    return DriverError(type(raised).__name__, str(raised))


def _driver_error(error: confluent_kafka.KafkaError) -> DriverError:
    return DriverError(error.name(), error.str(), is_fatal=error.fatal())


_RAISED = (confluent_kafka.KafkaException, RuntimeError, ValueError, TypeError)


class Place(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Fetched(NamedTuple):
    """One message as the log has it."""

    place: Place
    offset: int
    time_ms: int
    key: bytes
    value: bytes
    headers: Headers


class Reached(NamedTuple):
    """The end of a partition, which will be the offset of its next message."""

    place: Place
    offset: int


class Stumbled(NamedTuple):
    """A partition cannot be read, or the client has trouble that concerns none."""

    place: Place | None
    error: DriverError


Event: TypeAlias = Fetched | Reached | Stumbled


class Consumer:
    """Reads partitions that it is told to, and keeps no offsets in the cluster."""

    def __init__(self, config: Config) -> None:
        self._known: set[str] = set()
        try:
            self._consumer = confluent_kafka.Consumer(dict(config), logger=_log)
        except _RAISED as error:
            raise _error(error) from error

    def learn(self, place: Place, timeout_s: float) -> None:
        """Ask for the leaders of a topic, once; by itself the driver looks only every second."""
        if place.topic not in self._known:
            self._call(self._consumer.list_topics, place.topic, timeout=timeout_s)
            self._known.add(place.topic)

    def assign(self, place: Place, offset: int) -> None:
        """Read one partition from an offset on, and nothing else."""
        self._call(self._consumer.assign, [confluent_kafka.TopicPartition(*place, offset)])

    def unassign(self) -> None:
        """Read nothing."""
        self._call(self._consumer.unassign)

    def add(self, place: Place, offset: int) -> None:
        """Read a partition from an offset on, besides the others."""
        partition = confluent_kafka.TopicPartition(*place, offset)
        self._call(self._consumer.incremental_assign, [partition])

    def drop(self, place: Place) -> None:
        """Read a partition no more; the others go on."""
        partition = confluent_kafka.TopicPartition(*place)
        self._call(self._consumer.incremental_unassign, [partition])

    def take(self, count_max: int, timeout_s: float) -> list[Event]:
        """Wait for something to happen; return it with what else is at hand, 2 or more at most."""
        # `consume` waits until it has as many as it was asked for, so it must not wait.
        first = cast("confluent_kafka.Message | None", self._call(self._consumer.poll, timeout_s))
        if first is None:
            return []
        more = cast("list[Any]", self._call(self._consumer.consume, count_max - 1, 0))
        return [_event(message) for message in (first, *more)]

    def cached_end(self, place: Place) -> int:
        """Return the end of an assigned partition as the last fetch saw it; -1 before one."""
        partition = confluent_kafka.TopicPartition(*place)
        marks = self._call(self._consumer.get_watermark_offsets, partition, cached=True)
        return max(-1, cast("tuple[int, int]", marks)[1]) if marks else -1

    def watermarks(self, place: Place, timeout_s: float) -> tuple[int, int]:
        """Ask the cluster for the first offset of a partition and its end."""
        partition = confluent_kafka.TopicPartition(*place)
        marks = self._call(
            self._consumer.get_watermark_offsets, partition, timeout=timeout_s, cached=False
        )
        if not marks:
            raise DriverError("_TIMED_OUT", "the offsets of the partition did not come in time")
        return cast("tuple[int, int]", marks)

    def offset_at(self, place: Place, time_ms: int, timeout_s: float) -> int | None:
        """Ask for the first offset whose message is of a time or later; None when none is."""
        wanted = confluent_kafka.TopicPartition(*place, time_ms)
        (found,) = cast(
            "list[confluent_kafka.TopicPartition]",
            self._call(self._consumer.offsets_for_times, [wanted], timeout=timeout_s),
        )
        if found.error is not None:
            raise _driver_error(found.error)
        return found.offset if found.offset >= 0 else None

    def close(self) -> None:
        """Let go of every connection."""
        self._call(self._consumer.close)

    def _call(self, method: Callable[..., object], *args: object, **named: object) -> object:
        try:
            return method(*args, **named)
        except _RAISED as error:
            raise _error(error) from error


def _event(message: Any) -> Event:  # noqa: ANN401 - the driver's message is generic in what it holds
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    place = None if topic is None or partition is None else Place(topic, partition)
    error = cast("confluent_kafka.KafkaError | None", message.error())
    if error is not None:
        if error.code() == confluent_kafka.KafkaError._PARTITION_EOF and place:  # pyright: ignore[reportPrivateUsage] - so the driver names it
            return Reached(place, int(offset))
        return Stumbled(place, _driver_error(error))
    assert place is not None  # noqa: S101 - only an error can be of no partition
    headers = cast("Headers", message.headers() or ())
    time_ms = int(message.timestamp()[1])
    return Fetched(place, offset, time_ms, message.key() or b"", message.value() or b"", headers)


class Producer:
    """Sends messages, in order within a partition."""

    def __init__(self, config: Config) -> None:
        try:
            self._producer = confluent_kafka.Producer(dict(config), logger=_log)
        except _RAISED as error:
            raise _error(error) from error

    def produce(self, message: Fetched, done: Done) -> None:
        """Queue a message; its offset is left to the cluster."""

        def settle(error: confluent_kafka.KafkaError | None, sent: Any) -> None:  # noqa: ANN401
            done(None if error is None else _driver_error(error), int(sent.offset() or 0))

        try:
            self._producer.produce(
                message.place.topic,
                message.value,
                message.key,
                message.place.partition,
                on_delivery=settle,
                timestamp=message.time_ms,
                headers=cast("list[tuple[str, str | bytes | None]]", list(message.headers)),
            )
        except BufferError as error:
            raise DriverError("_QUEUE_FULL", str(error)) from error
        except _RAISED as error:
            raise _error(error) from error

    def poll(self, timeout_s: float) -> None:
        """Wait for messages to be settled, and tell whoever sent them."""
        self._producer.poll(timeout_s)

    def flush(self, timeout_s: float) -> int:
        """Wait until everything is settled; return how much is not."""
        return self._producer.flush(timeout_s)

    def purge(self) -> None:
        """Give up everything that is queued or under way."""
        self._producer.purge()


@dataclass(frozen=True, slots=True)
class PartitionState:
    """Who has a partition."""

    leader: int
    """-1 when there is none."""
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What a cluster says of itself."""

    brokers: Mapping[int, str]
    controller: int
    topics: Mapping[str, Mapping[int, PartitionState]]


_LOST_CONNECTIONS_MAX = 3
"""How often a request is sent again whose connection the driver itself has let go."""


class Admin:
    """Looks at the cluster and makes topics. Blocks: for a thread of its own."""

    def __init__(self, config: Config) -> None:
        try:
            # Its stubs leave open what its futures hold.
            self._admin: Any = AdminClient(dict(config), logger=_log)
        except _RAISED as error:
            raise _error(error) from error

    def cluster(self, timeout_s: float) -> ClusterState:
        """Return brokers and topics."""
        try:
            found: Any = self._admin.list_topics(timeout=timeout_s)
        except _RAISED as error:
            raise _error(error) from error
        topics = {
            name: {
                number: PartitionState(part.leader, tuple(part.replicas), tuple(part.isrs))
                for number, part in topic.partitions.items()
            }
            for name, topic in found.topics.items()
            if topic.error is None
        }
        brokers = {number: f"{b.host}:{b.port}" for number, b in found.brokers.items()}
        return ClusterState(brokers, int(found.controller_id), topics)

    def configs(self, topic: str, timeout_s: float) -> dict[str, str]:
        """Return the settings of a topic, defaults included."""
        resource = ConfigResource(RESOURCE_TOPIC, topic)
        entries = cast(
            "dict[str, Any]", self._ask(self._admin.describe_configs, resource, resource, timeout_s)
        )
        return {name: str(entry.value) for name, entry in entries.items()}

    def create(
        self,
        topic: str,
        partitions: int,
        replication: int,
        configs: Mapping[str, str],
        *,
        timeout_s: float,
    ) -> None:
        """Make a topic; -1 leaves the replication to the cluster."""
        wanted = NewTopic(topic, partitions, replication, config=dict(configs))
        self._ask(self._admin.create_topics, wanted, topic, timeout_s)

    def _ask(self, method: Callable[..., Any], what: Any, key: Any, timeout_s: float) -> object:  # noqa: ANN401
        """Send a request that may be sent twice, and return its answer.

        The driver gives up a request when it lets go of the connection that it was sent on, as
        it does when it has just learned whose connection that is. That says nothing of the
        cluster, so the request is sent again.
        """
        for _ in range(_LOST_CONNECTIONS_MAX):
            try:
                return self._answer(method, what, key, timeout_s)
            except DriverError as error:
                if error.name != "_DESTROY_BROKER":
                    raise
        return self._answer(method, what, key, timeout_s)

    def _answer(self, method: Callable[..., Any], what: Any, key: Any, timeout_s: float) -> object:  # noqa: ANN401
        try:
            asked: Future[Any] = method([what], request_timeout=timeout_s)[key]
            return asked.result(timeout_s + 1.0)
        except FutureTimeoutError as error:
            raise DriverError("_TIMED_OUT", "the cluster did not answer in time") from error
        except _RAISED as error:
            raise _error(error) from error
