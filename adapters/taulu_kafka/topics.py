"""Topics of tables: how they are made, and whether one that is there fits."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taulu.model import ConfigError, SchemaConflict, Table, Unavailable
from taulu_kafka._driver import Admin, DriverError, PartitionState
from taulu_kafka.mapping import START_THEM, to_taulu

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_REQUEST_S = 5.0
_SETTLE_S_MAX = 20.0
"""How long a gateway that starts waits for a topic to be led, and its cluster to say so."""
_REST_S = 0.05
_MS = 1_000
_MESSAGE_BYTES_MIN = 1_048_588
"""Kafka's own default of `max.message.bytes`."""
_LEAST = ("retention.ms", "retention.bytes", "min.insync.replicas", "min.compaction.lag.ms")
"""Settings of which a topic may have more than its plan, and not less."""
RETENTION_MARGIN_MS = 3_600_000
"""How much longer Kafka keeps a record than its table does, so that it is the gateway that
decides when a record is gone, and no duplicate outlives its first."""


class TopicOptions(BaseModel):
    """The `storage.options` of one table, in Kafka's words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str | None = Field(default=None, pattern=f"^{_NAME.pattern}$")
    """The topic's name; by default the target's prefix and the table's full name."""
    replication: int | None = Field(default=None, ge=1, le=32_767)
    """How many brokers hold each partition; the cluster's default when not given."""
    min_insync: int | None = Field(default=None, ge=1)
    """How many of them must have a record before it is acknowledged (min.insync.replicas)."""
    compaction: bool = False
    """Keep the last record of each key at least, instead of deleting by age alone."""
    retention_bytes: int | None = Field(default=None, ge=1)
    """How large one partition may grow before its oldest records are deleted."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What one table's topic is to be."""

    name: str
    partitions: int
    options: TopicOptions
    configs: Mapping[str, str]


def wrong_options(table: Table) -> list[str]:
    """Return what is wrong with a table's options, one sentence each."""
    try:
        options = TopicOptions.model_validate(dict(table.options))
    except ValidationError as error:
        return [
            f"its option {'.'.join(str(part) for part in wrong['loc'])!r} is wrong: {wrong['msg']}"
            for wrong in error.errors(include_input=False, include_url=False)
        ]
    if options.replication and options.min_insync and options.min_insync > options.replication:
        return ["its option 'min_insync' is above 'replication', so nothing could be written"]
    return []


def plan_topic(table: Table, prefix: str, window_s: float) -> TopicPlan:
    """Return what a table's topic is to be."""
    options = TopicOptions.model_validate(dict(table.options))
    name = options.topic or f"{prefix}{table.full_name}"
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a topic; set the option `topic`")
    # Tokens are read back from the records themselves, so these must stay for the window.
    window_ms = int(window_s * _MS)
    kept_ms = None if table.ttl_us is None else max(table.ttl_us // _MS, window_ms)
    retention_ms = -1 if kept_ms is None else kept_ms + RETENTION_MARGIN_MS
    policies = ["compact"] if options.compaction else []
    if table.ttl_us is not None or not options.compaction:
        policies.append("delete")
    configs = {
        "cleanup.policy": ",".join(policies),
        "retention.ms": str(retention_ms),
        "retention.bytes": str(options.retention_bytes or -1),
        "message.timestamp.type": "CreateTime",
        "max.message.bytes": str(max(_MESSAGE_BYTES_MIN, 2 * table.limits.row_bytes + 65_536)),
    }
    if options.min_insync is not None:
        configs["min.insync.replicas"] = str(options.min_insync)
    if options.compaction:
        configs["min.compaction.lag.ms"] = str(window_ms + RETENTION_MARGIN_MS)
    return TopicPlan(name, table.log_partitions, options, configs)


def prepare_topic(admin: Admin, plan: TopicPlan) -> None:
    """Make a topic, or check the one that is there; several gateways may do so at once. Blocks.

    Trouble that may pass is waited for: brokers hear of a new topic one after another, and a
    broker that has just died may still be named as the one to ask.

    Raises:
        SchemaConflict: The topic that is there does not fit.
        Unavailable: The cluster does not answer, or gives the topic no leaders.
    """
    give_up = time.monotonic() + _SETTLE_S_MAX
    while True:
        try:
            wrong = differences(plan, *_there(admin, plan))
            break
        except Unavailable:
            if time.monotonic() >= give_up:
                raise
        time.sleep(_REST_S)
    if wrong:
        raise SchemaConflict(
            f"topic {plan.name} does not fit its table: {'; '.join(wrong)}; alter the topic, or "
            "the table's YAML",
            details={"topic": plan.name},
        )


def _there(admin: Admin, plan: TopicPlan) -> tuple[Mapping[int, PartitionState], Mapping[str, str]]:
    """Return the partitions and the settings of a topic, and make it when it is not there.

    Raises:
        Unavailable: That cannot be said yet; ask again.
    """
    try:
        partitions = admin.cluster(_REQUEST_S).topics.get(plan.name)
        if partitions is None:
            _create(admin, plan)
            partitions = admin.cluster(_REQUEST_S).topics.get(plan.name)
        if partitions and all(state.leader >= 0 for state in partitions.values()):
            return partitions, admin.configs(plan.name, _REQUEST_S)
    except DriverError as error:
        raise to_taulu(error, f"topic {plan.name}", START_THEM) from error
    raise Unavailable(
        f"topic {plan.name} has partitions without a leader; see `taulu doctor`",
        details={"topic": plan.name},
        retry_after_s=1.0,
    )


def _create(admin: Admin, plan: TopicPlan) -> None:
    replication = plan.options.replication or -1
    try:
        admin.create(plan.name, plan.partitions, replication, plan.configs, timeout_s=_REQUEST_S)
    except DriverError as error:
        if error.name != "TOPIC_ALREADY_EXISTS":
            raise


def differences(
    plan: TopicPlan, partitions: Mapping[int, PartitionState], configs: Mapping[str, str]
) -> list[str]:
    """Return in what a topic falls short of its plan; more than was asked for is fine."""
    wrong: list[str] = []
    if len(partitions) != plan.partitions:
        wrong.append(f"it has {len(partitions)} partitions, not {plan.partitions}")
    replicas = min((len(state.replicas) for state in partitions.values()), default=0)
    if plan.options.replication is not None and replicas < plan.options.replication:
        wrong.append(f"it has {replicas} replicas, not {plan.options.replication}")
    for name in ("cleanup.policy", "message.timestamp.type"):
        found, wanted = configs.get(name, ""), plan.configs[name]
        if set(found.split(",")) != set(wanted.split(",")):
            wrong.append(f"its {name} is {found}, not {wanted}")
    wrong += [
        f"its {name} is {configs.get(name)}, below {plan.configs[name]}"
        for name in _LEAST
        if name in plan.configs and _number(configs.get(name)) < _number(plan.configs[name])
    ]
    return wrong


def _number(text: str | None) -> float:
    """Return a limit as a number; -1 stands for none."""
    number = float(text or 0)
    return float("inf") if number < 0 else number
