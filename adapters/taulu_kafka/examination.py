"""What `taulu doctor` is told of a cluster."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

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
from taulu_kafka.topics import TopicPlan, differences

_REQUEST_S = 3.0
_LOOK_S_MAX = 4.0
"""How long to look at settings of topics, and again at their records."""
_FULL_SHARE = 0.8
_SAFE_COPIES = 2
_UNCLEAN = "unclean.leader.election.enable"
_LISTED_MAX = 5

_Topics = Mapping[str, Mapping[int, PartitionState]]


def examine(settings: KafkaSettings, plans: Sequence[TopicPlan], since_ms: int) -> list[Finding]:
    """Look a cluster over, and the topics of some tables, without changing them. Blocks.

    Args:
        settings: How to reach it.
        plans: What the topics of the tables are to be; topics of others are not looked at.
        since_ms: When the token window began.
    """
    try:
        admin = Admin(settings.client_config())
        state = admin.cluster(_REQUEST_S)
    except DriverError as error:
        return [_refusal(to_taulu(error, f"Kafka at {settings.servers}"))]
    topics = {plan.name: state.topics[plan.name] for plan in plans if plan.name in state.topics}
    found = [_brokers(state), *_shared(plans), *_missing(plans, topics)]
    if not topics:
        return found
    try:
        return [
            *found,
            *_copies(topics),
            *_settings(admin, plans, topics, time.monotonic() + _LOOK_S_MAX),
            *_tokens(settings, topics, since_ms, time.monotonic() + _LOOK_S_MAX),
        ]
    except DriverError as error:
        return [*found, _refusal(to_taulu(error, f"Kafka at {settings.servers}"))]


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


def _shared(plans: Sequence[TopicPlan]) -> list[Finding]:
    tables = Counter(plan.name for plan in plans)
    return [
        Finding(
            ok=False,
            what=f"{count} tables name topic {name}, so that the server does not start",
            mend="give each a `topic` of its own in its storage.options",
        )
        for name, count in tables.items()
        if count > 1
    ]


def _missing(plans: Sequence[TopicPlan], topics: _Topics) -> list[Finding]:
    missing = sorted({plan.name for plan in plans} - topics.keys())
    if not plans:
        return [Finding(ok=True, what="no table is kept here, so no topic was looked at")]
    if not missing:
        return []
    listed = ", ".join(missing[:_LISTED_MAX]) + (" …" if len(missing) > _LISTED_MAX else "")
    what = f"{len(missing)} topics are not there yet; the server makes them ({listed})"
    return [Finding(ok=True, what=what)]


def _copies(topics: _Topics) -> list[Finding]:
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


def _settings(
    admin: Admin, plans: Sequence[TopicPlan], topics: _Topics, give_up: float
) -> list[Finding]:
    """Compare topics with what their tables need, and with what is safe."""
    findings: list[Finding] = []
    there = [plan for plan in plans if plan.name in topics]
    for number, plan in enumerate(there):
        if time.monotonic() > give_up:
            findings.append(_stopped("settings", number, len(there), "topics"))
            break
        partitions, configs = topics[plan.name], admin.configs(plan.name, _REQUEST_S)
        wrong = differences(plan, partitions, configs)
        if wrong:
            what = f"topic {plan.name} does not fit its table: {'; '.join(wrong)}"
            findings.append(Finding(ok=False, what=what, mend="alter the topic, or the table"))
        findings += _safety(plan.name, partitions, configs)
    return findings


def _safety(
    name: str, partitions: Mapping[int, PartitionState], configs: Mapping[str, str]
) -> list[Finding]:
    findings: list[Finding] = []
    if configs.get(_UNCLEAN) == "true":
        what = f"topic {name}: a replica that lacks acknowledged records may become leader"
        findings.append(Finding(ok=False, what=what, mend=f"set its {_UNCLEAN} to false"))
    replicas = min((len(state.replicas) for state in partitions.values()), default=0)
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
    settings: KafkaSettings, topics: _Topics, since_ms: int, give_up: float
) -> list[Finding]:
    """Warn of partitions that come near the number of tokens that a worker remembers."""
    findings: list[Finding] = []
    consumer = Consumer(settings.reader_config())
    places = [Place(name, n) for name, held in topics.items() for n in held]
    try:
        for number, place in enumerate(places):
            if time.monotonic() > give_up:
                findings.append(_stopped("records", number, len(places), "partitions"))
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


def _stopped(of: str, count: int, wanted: int, places: str) -> Finding:
    """Say that time ran out; what was not looked at may be well or not."""
    what = f"time ran out: the {of} of {count} of {wanted} {places} were looked at, no others"
    return Finding(ok=True, what=what)
