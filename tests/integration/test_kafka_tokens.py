"""Several gateways on one topic, which know nothing of one another."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from taulu.model import (
    Appended,
    Failed,
    NewRecord,
    Overloaded,
    StorageFull,
    TokenReused,
    WriteOutcomeUnknown,
)
from taulu_kafka import KafkaAdapter
from tests.integration.kafka_parts import (
    TABLE,
    append,
    fresh_prefix,
    new_record,
    opened,
    read_all,
)
from tests.testbed.kafka_cluster import KafkaCluster

pytestmark = pytest.mark.xdist_group("kafka")

_POLLS_MAX = 400
_POLL_S = 0.02
ROUNDS = 12
RECORDS = 10


async def test_gateways_that_append_the_same_tokens_at_once_give_one_record(
    kafka_broker: KafkaCluster,
) -> None:
    async with opened(kafka_broker.bootstrap, fresh_prefix(), 3) as adapters:
        told: dict[int, int] = {}
        for turn in range(ROUNDS):
            records = [new_record(turn * RECORDS + n) for n in range(RECORDS)]
            answers = await asyncio.gather(*(append(one, *records) for one in [*adapters] * 2))
            assert all(answer == answers[0] for answer in answers)
            for record, done in zip(records, answers[0], strict=True):
                assert isinstance(done, Appended)
                told[int(str(record.columns["count"]))] = done.offset
        whole = await read_all(adapters[0])
        assert {record.columns["count"]: record.offset for record in whole} == told
        assert len(whole) == len(told)
        # Every reader sees the same, however it cuts the log into pages.
        for adapter, records_max in zip(adapters, (1, 7, 50), strict=True):
            assert await read_all(adapter, records_max) == whole


async def test_of_two_effects_under_one_token_one_stands_for_all(
    kafka_broker: KafkaCluster,
) -> None:
    async with opened(kafka_broker.bootstrap, fresh_prefix(), 2) as adapters:
        for turn in range(ROUNDS):
            nonce = f"one-token-{turn}"
            answers = await asyncio.gather(
                *(append(one, new_record(n, nonce)) for n, one in enumerate(adapters))
            )
            outcomes = [outcome for (outcome,) in answers]
            stands = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Appended)]
            refused = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
            assert len(stands) == 1
            assert [type(error) for error in refused] == [TokenReused]
            last = (await read_all(adapters[0]))[-1]
            assert last.columns["count"] == stands[0]


async def test_a_record_that_a_closing_gateway_gave_up_is_unknown_and_settled_by_a_resend(
    kafka_broker: KafkaCluster,
) -> None:
    options = {"request_timeout_s": 2.0, "delivery_timeout_s": 60.0}
    (broker,) = kafka_broker.brokers
    record = new_record(2)
    async with opened(kafka_broker.bootstrap, fresh_prefix(), 2, **options) as (closing, other):
        await append(closing, new_record(1))
        broker.process.pause()
        try:
            waiting = asyncio.create_task(append(closing, record))
            (tail,) = closing._running.partitions._ready.values()
            assert await _comes(lambda: bool(tail.pending))
            # The driver sends it, hears nothing, and has it ready to be sent again.
            await closing.close()
        finally:
            broker.process.resume()
        (told,) = await waiting
        assert isinstance(told, Failed)
        assert isinstance(told.error, WriteOutcomeUnknown)
        # A broker that was stopped is not used by its cluster for a moment.
        assert await _comes(lambda: _is_appended(other, record))
        assert [one.columns["count"] for one in await read_all(other)] == [1, 2]


async def _is_appended(adapter: KafkaAdapter, record: NewRecord) -> bool:
    return isinstance((await append(adapter, record))[0], Appended)


async def _comes(holds: Callable[[], bool | Awaitable[bool]]) -> bool:
    """Wait until a condition holds; return False when it does not for long."""
    for _ in range(_POLLS_MAX):
        found = holds()
        if found if isinstance(found, bool) else await found:
            return True
        await asyncio.sleep(_POLL_S)
    return False


async def test_a_gateway_that_starts_anew_knows_the_tokens_of_the_window(
    kafka_broker: KafkaCluster,
) -> None:
    prefix = fresh_prefix()
    records = [new_record(n) for n in range(RECORDS)]
    async with opened(kafka_broker.bootstrap, prefix) as (first,):
        before = await append(first, *records)
    async with opened(kafka_broker.bootstrap, prefix) as (second,):
        assert await append(second, *records) == before
        assert len(await read_all(second)) == RECORDS


async def test_gateways_that_come_and_go_double_and_lose_nothing(
    kafka_broker: KafkaCluster,
) -> None:
    prefix, choose = fresh_prefix(), random.Random(7)
    records = [new_record(n) for n in range(120)]
    offsets: dict[int, set[int]] = {n: set() for n in range(len(records))}

    async def serve() -> None:
        """Be a gateway that is closed in the middle of its work, and takes any part of it."""
        async with opened(kafka_broker.bootstrap, prefix) as (adapter,):
            calls: list[asyncio.Task[None]] = []
            async with asyncio.TaskGroup() as group:
                for _ in range(6):
                    numbers = choose.sample(range(len(records)), 20)
                    calls.append(group.create_task(send(adapter, numbers)))
                await asyncio.sleep(choose.uniform(0.0, 0.05))
                await adapter.close()

    async def send(adapter, numbers: list[int]) -> None:
        for n, outcome in zip(
            numbers, await append(adapter, *(records[n] for n in numbers)), strict=True
        ):
            if isinstance(outcome, Appended):
                offsets[n].add(outcome.offset)

    for _ in range(3):
        await asyncio.gather(serve(), serve())
    async with opened(kafka_broker.bootstrap, prefix) as (last,):
        await send(last, list(range(len(records))))
        assert all(len(places) == 1 for places in offsets.values())
        seen = Counter(record.columns["count"] for record in await read_all(last))
        assert seen == Counter(range(len(records)))


async def test_more_tokens_than_are_remembered_are_refused_and_doctor_says_so(
    kafka_broker: KafkaCluster,
) -> None:
    prefix = fresh_prefix()
    options = {"tokens_max": 1_000}
    async with opened(kafka_broker.bootstrap, prefix, **options) as (adapter,):
        await append(adapter, *(new_record(n) for n in range(900)))
        findings = await adapter.examine([TABLE])
        assert any("tokens_max" in one.what and not one.ok for one in findings)
        await append(adapter, *(new_record(n) for n in range(150)))
        (refused,) = await append(adapter, new_record(1))
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, StorageFull)
        assert "tokens_max" in refused.error.message


async def test_more_records_than_may_be_under_way_are_refused(
    kafka_broker: KafkaCluster,
) -> None:
    options = {"write_queue_max": 2}
    async with opened(kafka_broker.bootstrap, fresh_prefix(), **options) as (adapter,):
        outcomes = await append(adapter, *(new_record(n) for n in range(4)))
        assert [isinstance(outcome, Appended) for outcome in outcomes] == [True, True, False, False]
        refused = outcomes[-1]
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, Overloaded)
        assert len(await read_all(adapter)) == 2
