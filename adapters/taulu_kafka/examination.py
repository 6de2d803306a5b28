"""What `taulu doctor` is told of a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping

from taulu.model import TauluError
from taulu.spi import Finding
from taulu_kafka._driver import (
    Admin,
    ClusterState,
    Consumer,
    DriverError,
    PartitionState,
    Place,
)
from taulu_kafka.mapping import to_taulu
from taulu_kafka.settings import KafkaSettings

_REQUEST_S = 3.0
_LOOK_S_MAX = 4.0
_FULL_SHARE = 0.8
_TOPICS_MAX = 200
_SAFE_COPIES = 2
_UNCLEAN = "unclean.leader.election.enable"


def examine(settings: KafkaSettings, since_ms: int) -> list[Finding]:
    """Look a cluster over, without changing it. Blocks.

    Args:
        settings: How to reach it.
        since_ms: When the token window began.
    """
    try:
        admin = Admin(settings.client_config())
        state = admin.cluster(_REQUEST_S)
    except DriverError as error:
        return [_refusal(to_taulu(error, f"Kafka at {settings.servers}"))]
    prefix = settings.topic_prefix
    topics = {
        name: partitions
        for name, partitions in sorted(state.topics.items())
        if name.startswith(prefix) and not name.startswith("__")
    }
    topics = dict(list(topics.items())[:_TOPICS_MAX])
    try:
        return [
            _brokers(state),
            *_copies(topics),
            *_safety(admin, topics),
            *_tokens(settings, topics, since_ms),
        ]
    except DriverError as error:
        return [_brokers(state), _refusal(to_taulu(error, f"Kafka at {settings.servers}"))]


def _refusal(error: TauluError) -> Finding:
    return Finding(
        ok=False, what=error.message, mend="check `servers`, the network and the credentials"
    )


def _brokers(state: ClusterState) -> Finding:
    listed = ", ".join(f"{number} at {where}" for number, where in sorted(state.brokers.items()))
    what = f"{len(state.brokers)} brokers ({listed}), controller {state.controller}"
    if state.controller not in state.brokers:
        return Finding(ok=False, what=what, mend="start the controllers: no topic can be made")
    return Finding(ok=True, what=what)


def _copies(topics: Mapping[str, Mapping[int, PartitionState]]) -> list[Finding]:
    findings: list[Finding] = []
    for name, partitions in topics.items():
        leaderless = [n for n, state in partitions.items() if state.leader < 0]
        behind = [n for n, state in partitions.items() if len(state.in_sync) < len(state.replicas)]
        if leaderless:
            what = f"topic {name}: partitions {leaderless} have no leader"
            findings.append(Finding(ok=False, what=what, mend="start the brokers that hold them"))
        elif behind:
            what = f"topic {name}: partitions {behind} are under-replicated"
            findings.append(Finding(ok=False, what=what, mend="see which broker is down or slow"))
    if not findings:
        count = sum(len(partitions) for partitions in topics.values())
        findings.append(
            Finding(ok=True, what=f"{count} partitions of {len(topics)} topics are all in step")
        )
    return findings


def _safety(admin: Admin, topics: Mapping[str, Mapping[int, PartitionState]]) -> list[Finding]:
    findings: list[Finding] = []
    give_up = time.monotonic() + _LOOK_S_MAX
    for name, partitions in topics.items():
        if time.monotonic() > give_up:
            break
        replicas = min((len(state.replicas) for state in partitions.values()), default=0)
        configs = admin.configs(name, _REQUEST_S)
        if configs.get(_UNCLEAN) == "true":
            what = f"topic {name}: a replica that lacks acknowledged records may become leader"
            findings.append(Finding(ok=False, what=what, mend=f"set its {_UNCLEAN} to false"))
        in_sync = int(configs.get("min.insync.replicas", "1"))
        if min(replicas, in_sync) < _SAFE_COPIES:
            what = (
                f"topic {name}: {replicas} replicas, of which {in_sync} must have a record before "
                "it is acknowledged; the loss of one broker can lose acknowledged records"
            )
            mend = "set `replication: 3, min_insync: 2` in the table's storage.options"
            findings.append(Finding(ok=False, what=what, mend=mend))
    return findings


def _tokens(
    settings: KafkaSettings, topics: Mapping[str, Mapping[int, PartitionState]], since_ms: int
) -> list[Finding]:
    """Warn of partitions that come near the number of tokens that a worker remembers."""
    findings: list[Finding] = []
    consumer = Consumer(settings.reader_config())
    give_up = time.monotonic() + _LOOK_S_MAX
    try:
        places = [Place(name, n) for name, held in topics.items() for n in held]
        for place in places:
            if time.monotonic() > give_up:
                break
            _, end = consumer.watermarks(place, _REQUEST_S)
            start = consumer.offset_at(place, since_ms, _REQUEST_S)
            count = 0 if start is None else end - start
            if count > settings.tokens_max * _FULL_SHARE:
                what = (
                    f"partition {place.partition} of topic {place.topic} has {count} records "
                    f"within the token window, and tokens_max is {settings.tokens_max}"
                )
                mend = "raise tokens_max, add partitions, or shorten token_window"
                findings.append(Finding(ok=False, what=what, mend=mend))
    finally:
        consumer.close()
    return findings
