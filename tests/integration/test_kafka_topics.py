"""Topics as other programs see them, and what other programs put into them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    RESOURCE_TOPIC,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from taulu.model import (
    Appended,
    Corrupt,
    Failed,
    FromLatest,
    FromOffset,
    NewRecord,
    OffsetOutOfRange,
    SchemaConflict,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu.spi import Environment
from taulu_kafka import KafkaAdapter, examination, topics
from tests.integration.kafka_parts import (
    TABLE,
    TIMEOUT_S,
    append,
    fresh_prefix,
    new_record,
    opened,
    read,
    read_all,
)
from tests.testbed import provision
from tests.testbed.kafka_cluster import KafkaCluster
from tests.testbed.server_process import free_port

pytestmark = pytest.mark.xdist_group("kafka")


def put(servers: str, topic: str, values: Sequence[bytes]) -> None:
    """Produce values as any other program would."""
    producer = Producer({"bootstrap.servers": servers})
    for value in values:
        producer.produce(topic, value, b"any key", 0)
    assert producer.flush(10) == 0


async def test_gateways_that_start_at_once_make_one_topic(kafka_broker: KafkaCluster) -> None:
    prefix = fresh_prefix()

    async def prepare() -> None:
        async with opened(kafka_broker.bootstrap, prefix):
            pass

    await asyncio.gather(*(prepare() for _ in range(5)))


async def test_a_topic_that_does_not_fit_is_refused(kafka_broker: KafkaCluster) -> None:
    prefix = fresh_prefix()
    async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
        for other, what in (
            (replace(TABLE, log_partitions=2), "1 partitions, not 2"),
            (replace(TABLE, options={"compaction": True}), "cleanup.policy is delete"),
            (replace(TABLE, options={"replication": 3}), "1 replicas, not 3"),
        ):
            with pytest.raises(SchemaConflict, match=what):
                await adapter.prepare(other)


async def test_kcat_reads_what_was_appended(kafka_broker: KafkaCluster) -> None:
    kcat, prefix = provision.program("kcat", "kcat"), fresh_prefix()
    columns = {
        "count": 2**63 - 1,
        "price": Decimal("12.30"),
        "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    }
    async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
        record = NewRecord(("claim-17",), columns, new_record(0, "pay:claim-17").token)
        (done,) = await append(adapter, record)
    assert isinstance(done, Appended)
    command = [str(kcat), "-C", "-q", "-e", "-b", kafka_broker.bootstrap]
    command += ["-t", f"{prefix}{TABLE.full_name}", "-f", "%o %T\n%h\n%s\n"]
    shown = await asyncio.to_thread(
        subprocess.run, command, check=True, capture_output=True, text=True, timeout=30
    )
    place, headers, value = shown.stdout.splitlines()
    assert place == f"0 {done.time_us // 1_000}"
    assert "taulu-token=pay:claim-17" in headers
    assert f"taulu-time={done.time_us}" in headers
    assert json.loads(value) == {
        "source": "claim-17",
        "count": 2**63 - 1,
        "price": "12.30",
        "at": "2026-01-02T03:04:05.000006Z",
    }


async def test_records_of_others_are_read_and_what_cannot_be_is_named(
    kafka_broker: KafkaCluster,
) -> None:
    prefix = fresh_prefix()
    async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
        await append(adapter, new_record(1))
        values = [b'{"source":"kcat","count":2}', b"no json", b'{"source":"kcat","count":4}']
        await asyncio.to_thread(put, kafka_broker.bootstrap, f"{prefix}{TABLE.full_name}", values)
        (done,) = await append(adapter, new_record(5))
        assert isinstance(done, Appended)
        assert done.offset == 4
        page = await read(adapter)
        assert [(one.key, one.columns["count"]) for one in page.records] == [
            (("s",), 1),
            (("kcat",), 2),
        ]
        assert page.next_offset == 2
        with pytest.raises(Corrupt) as refused:
            await read(adapter, FromOffset(page.next_offset))
        on = int(refused.value.details["next_offset"])
        assert [one.columns["count"] for one in (await read(adapter, FromOffset(on))).records] == [
            4,
            5,
        ]


async def test_records_that_kafka_deleted_are_out_of_range(kafka_broker: KafkaCluster) -> None:
    prefix = fresh_prefix()
    async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
        await append(adapter, *(new_record(n) for n in range(50)))
        admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
        topic = f"{prefix}{TABLE.full_name}"
        for done in admin.delete_records([TopicPartition(topic, 0, 40)]).values():
            done.result(10)
        with pytest.raises(OffsetOutOfRange) as refused:
            await read(adapter, FromOffset(39))
        assert refused.value.details == {"earliest": "40", "end": "50"}
        assert [one.offset for one in await read_all(adapter)] == list(range(40, 50))
        assert (await read(adapter, FromOffset(40), records_max=1)).records[0].offset == 40


async def test_a_topic_for_more_brokers_than_have_joined_is_waited_for_and_told(
    kafka_broker: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_SETTLE_S_MAX", 1.0)
    wide = replace(TABLE, options={"replication": 3})
    with pytest.raises(Unavailable, match="more replicas than brokers have joined") as refused:
        async with opened(kafka_broker.bootstrap, fresh_prefix(), table=wide):
            pass
    assert "start the brokers" in refused.value.message


async def test_a_topic_that_was_deleted_does_not_come_back_with_the_clusters_defaults(
    kafka_broker: KafkaCluster,
) -> None:
    prefix = fresh_prefix()
    topic = f"{prefix}{TABLE.full_name}"
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    async with opened(kafka_broker.bootstrap, prefix, delivery_timeout_s=2.0) as (adapter,):
        await append(adapter, new_record(1))
        await asyncio.to_thread(admin.delete_topics([topic])[topic].result, 10)
        give_up = time.monotonic() + TIMEOUT_S
        # The broker hears of it a moment after the controller.
        while isinstance((await append(adapter, new_record(2)))[0], Appended):
            assert time.monotonic() < give_up
        for count in (3, 4):
            (refused,) = await append(adapter, new_record(count))
            assert isinstance(refused, Failed)
            assert isinstance(refused.error, (Unavailable, WriteOutcomeUnknown))
    assert topic not in (await asyncio.to_thread(admin.list_topics, timeout=10)).topics


async def followers(adapter: KafkaAdapter, count: int) -> None:
    """Wait until so many reads know where the log ends, and wait for what comes."""
    give_up = time.monotonic() + TIMEOUT_S
    while sum(w.followers for w in adapter._running.partitions._watched.values()) != count:
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)


async def test_a_log_that_another_gateway_writes_can_be_followed(
    kafka_broker: KafkaCluster,
) -> None:
    prefix = fresh_prefix()
    async with opened(kafka_broker.bootstrap, prefix, 2) as (writer, reader):
        waiting = [asyncio.create_task(read(reader, FromLatest(), wait_s=50)) for _ in range(5)]
        await followers(reader, 5)
        (done,) = await append(writer, new_record(1))
        assert isinstance(done, Appended)
        for task in waiting:
            assert [record.offset for record in (await task).records] == [done.offset]
        # One that begins to write what it follows goes on following.
        task = asyncio.create_task(read(reader, FromLatest(), wait_s=50))
        await followers(reader, 1)
        (own,) = await append(reader, new_record(2))
        assert isinstance(own, Appended)
        assert [record.offset for record in (await task).records] == [own.offset]


async def test_doctor_looks_at_the_topics_of_its_tables_and_at_no_others(
    kafka_broker: KafkaCluster,
) -> None:
    servers, prefix = kafka_broker.bootstrap, fresh_prefix()
    other = replace(TABLE, name="later")
    async with opened(servers, prefix) as (adapter,), opened(servers, f"{prefix}other."):
        findings = await adapter.examine([TABLE, other])
        (brokers, nothing) = await adapter.examine()
    said = "; ".join(one.what for one in findings)
    assert findings[0].ok
    assert findings[0].what.startswith("1 brokers")
    assert "1 partitions of 1 topics are all in step" in said
    assert f"1 topics are not there yet; the server makes them ({prefix}integration.later)" in said
    assert "other." not in said
    # One replica is not safe, and is said not to be.
    assert [one.what.partition(":")[0] for one in findings if not one.ok] == [
        f"topic {prefix}{TABLE.full_name}"
    ]
    assert (brokers, nothing.ok) == (findings[0], True)
    assert nothing.what == "no table is kept here, so no topic was looked at"


async def test_doctor_says_which_topics_a_server_would_refuse(kafka_broker: KafkaCluster) -> None:
    prefix = fresh_prefix()
    async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
        wider = replace(TABLE, log_partitions=2)
        twins = [replace(TABLE, name=name, options={"topic": "x"}) for name in ("one", "two")]
        wrong = [one.what for one in await adapter.examine([wider, *twins]) if not one.ok]
    assert "2 tables name topic x, so that the server does not start" in wrong
    does_not_fit = f"topic {prefix}{TABLE.full_name} does not fit its table: it has 1 partitions"
    assert any(what.startswith(does_not_fit) for what in wrong)


async def test_doctor_says_where_it_stopped_for_want_of_time(
    kafka_broker: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "_LOOK_S_MAX", -1.0)
    async with opened(kafka_broker.bootstrap, fresh_prefix()) as (adapter,):
        said = [one.what for one in await adapter.examine([TABLE])]
    assert "time ran out: the settings of 0 of 1 topics were looked at, no others" in said
    assert "time ran out: the records of 0 of 1 partitions were looked at, no others" in said


async def test_doctor_says_where_a_replica_that_lacks_acknowledged_records_may_lead(
    kafka_broker: KafkaCluster,
) -> None:
    prefix = fresh_prefix()
    topic = f"{prefix}{TABLE.full_name}"
    async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
        assert not any("may become leader" in one.what for one in await adapter.examine([TABLE]))
        await asyncio.to_thread(_set, kafka_broker, topic, "unclean.leader.election.enable", "true")
        (finding,) = [
            one for one in await adapter.examine([TABLE]) if "may become leader" in one.what
        ]
        assert not finding.ok


def _set(cluster: KafkaCluster, topic: str, name: str, value: str) -> None:
    """Set an option of a topic, and wait until the broker knows."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(RESOURCE_TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)
    give_up = time.monotonic() + 10
    while admin.describe_configs([resource])[resource].result(10)[name].value != value:
        assert time.monotonic() < give_up
        time.sleep(0.05)


async def test_a_cluster_that_is_not_there_is_reported_and_refused() -> None:
    nowhere = {"servers": f"127.0.0.1:{free_port()}"}
    adapter = KafkaAdapter.create(nowhere, Environment())
    (finding,) = await adapter.examine([TABLE])
    assert not finding.ok
    with pytest.raises(Unavailable):
        await adapter.open()
    await adapter.close()
