from __future__ import annotations

from dataclasses import replace

import pytest

from taulu.model import ConfigError
from taulu.spi import Environment
from taulu_kafka import KafkaAdapter
from taulu_kafka._driver import PartitionState
from taulu_kafka.settings import parse_settings
from taulu_kafka.topics import differences, plan_topic
from tests.unit.taulu_kafka.parts import TABLE

HOUR_MS = 3_600_000
SECRET = "correct horse"


def test_a_wrong_option_is_named_and_the_nearest_one_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean 'servers'"):
        parse_settings({"server": "a:9092"})
    with pytest.raises(ConfigError, match="'linger_ms'"):
        parse_settings({"servers": "a:9092", "linger_ms": -1})
    with pytest.raises(ConfigError, match="'servers'"):
        parse_settings({})


@pytest.mark.parametrize(
    "options",
    [
        {"username": "a", "password": SECRET},
        {"sasl_mechanism": "PLAIN"},
        {"sasl_mechanism": "PLAIN", "username": "a"},
        {"tls_ca": "ca.pem"},
    ],
)
def test_options_that_go_together_are_asked_for_together(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse_settings({"servers": "a:9092", **options})


def test_no_secret_is_shown() -> None:
    options: dict[str, object] = {
        "servers": "a:9092",
        "tls": True,
        "sasl_mechanism": "SCRAM-SHA-512",
        "username": "gateway",
        "password": SECRET,
    }
    settings = parse_settings(options)
    assert SECRET not in repr(settings)
    assert settings.client_config()["sasl.password"] == SECRET
    assert settings.client_config()["security.protocol"] == "sasl_ssl"
    with pytest.raises(ConfigError) as refused:
        parse_settings({**options, "tls": False, "tls_ca": "ca.pem"})
    assert SECRET not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_the_producer_is_told_to_wait_for_all_replicas_in_step() -> None:
    config = parse_settings({"servers": "a:9092"}).producer_config()
    assert (config["acks"], config["enable.idempotence"]) == ("all", True)


def test_a_topic_is_kept_as_long_as_its_records_and_their_tokens_need() -> None:
    plan = plan_topic(TABLE, "p.", window_s=24 * 3_600)
    assert plan.name == "p.audit.events"
    assert plan.configs == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "message.timestamp.type": "CreateTime",
        "max.message.bytes": "1048588",
    }
    short = plan_topic(replace(TABLE, ttl_us=60_000_000), "", window_s=24 * 3_600)
    assert short.configs["retention.ms"] == str(25 * HOUR_MS)
    long = plan_topic(replace(TABLE, ttl_us=48 * HOUR_MS * 1_000), "", window_s=24 * 3_600)
    assert long.configs["retention.ms"] == str(49 * HOUR_MS)


def test_options_of_a_table_become_settings_of_its_topic() -> None:
    options = {"topic": "t", "replication": 3, "min_insync": 2, "compaction": True}
    plan = plan_topic(replace(TABLE, options=options), "p.", window_s=3_600)
    assert (plan.name, plan.options.replication) == ("t", 3)
    assert plan.configs["cleanup.policy"] == "compact"
    assert plan.configs["min.insync.replicas"] == "2"
    assert plan.configs["min.compaction.lag.ms"] == str(2 * HOUR_MS)
    bounded = plan_topic(
        replace(TABLE, options={"retention_bytes": 7}, ttl_us=1), "", window_s=3_600
    )
    assert bounded.configs["retention.bytes"] == "7"


def test_wrong_options_of_a_table_refuse_it() -> None:
    adapter = KafkaAdapter.create({"servers": "a:9092"}, Environment())
    assert adapter.refusals(TABLE) == []
    for options, word in (
        ({"replicas": 3}, "replicas"),
        ({"replication": 0}, "replication"),
        ({"replication": 2, "min_insync": 3}, "min_insync"),
        ({"topic": "with space"}, "topic"),
    ):
        (reason,) = adapter.refusals(replace(TABLE, options=options))
        assert word in reason


def test_a_topic_that_falls_short_is_told_in_each_respect() -> None:
    options = {"replication": 3, "min_insync": 2}
    plan = plan_topic(replace(TABLE, options=options, ttl_us=1), "", window_s=3_600)
    good = {"min.insync.replicas": "2", **plan.configs}
    whole = {n: PartitionState(1, (1, 2, 3), (1, 2, 3)) for n in range(4)}
    assert differences(plan, whole, good) == []
    assert differences(plan, whole, {**good, "retention.ms": "-1"}) == []
    bad = {
        **good,
        "min.insync.replicas": "1",
        "retention.ms": "1000",
        "cleanup.policy": "compact",
        "message.timestamp.type": "LogAppendTime",
    }
    halved = {n: PartitionState(1, (1, 2), (1,)) for n in range(2)}
    assert len(differences(plan, halved, bad)) == 6
