from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import grpc
import pytest

from taulu.model.errors import ERRORS_BY_CODE
from taulu.v1 import consistency_pb2, counter_pb2, data_pb2, log_pb2, value_pb2
from taulu.wire.errors import error_message
from taulu_client import Client, ClientOptions, RetryOptions, Unit, errors
from taulu_client.items import Put
from taulu_client.retry import Deadline, Retrier, RetryBudget
from tests.testbed.server_process import free_port
from tests.unit.taulu_client.parts import FAST, ScriptedGateway, Silence

FACTS = consistency_pb2.ReplyFacts(consistency=4, version=7, source=4)
WRITTEN = data_pb2.BatchWriteResponse(
    outcomes=[data_pb2.WriteOutcome(written=data_pb2.Written(version=7))], facts=FACTS
)
ABSENT = data_pb2.BatchGetResponse(
    outcomes=[data_pb2.RowOutcome(absent=data_pb2.Absent())], facts=FACTS
)
TIMEOUT_S = 1.0
ROW = {"id": "a", "count": 1}


def outcome(error: errors.TauluError) -> data_pb2.WriteOutcome:
    return data_pb2.WriteOutcome(failed=error_message(error))


def written(version: int) -> data_pb2.WriteOutcome:
    return data_pb2.WriteOutcome(written=data_pb2.Written(version=version))


async def test_a_write_whose_reply_was_lost_is_sent_again_with_the_same_token() -> None:
    gateway = ScriptedGateway([grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, WRITTEN])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        assert (await client.table("n.t").put(ROW)).version == 7
        assert len(gateway.requests) == 3
        assert len({request.units[0].token.nonce for request in gateway.requests}) == 1
        assert client.session_token == "v1:7"


async def test_an_increment_whose_reply_was_lost_is_sent_again_with_the_same_token() -> None:
    done = counter_pb2.IncrementResponse(
        counter=counter_pb2.Counter(key=value_pb2.Key(), value=5, version=9), facts=FACTS
    )
    gateway = ScriptedGateway([grpc.StatusCode.UNAVAILABLE, done])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        assert (await client.counter("n.t").increment("a", 5)).value == 5
        assert len({request.token.nonce for request in gateway.requests}) == 1


async def test_a_write_that_never_settles_is_reported_as_unknown() -> None:
    unavailable = errors.Unavailable("later")
    gateway = ScriptedGateway([grpc.StatusCode.UNAVAILABLE, *[unavailable] * 4])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        with pytest.raises(errors.WriteOutcomeUnknown, match="send it again with its token"):
            await client.table("n.t").put(ROW)
        assert len(gateway.requests) == FAST.retry.attempts_max


async def test_a_write_that_was_surely_refused_is_reported_as_that() -> None:
    gateway = ScriptedGateway([errors.Unavailable("later")] * 5)
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        with pytest.raises(errors.Unavailable, match="later"):
            await client.table("n.t").put(ROW)


async def test_a_read_is_sent_again_and_then_its_error_raised() -> None:
    gateway = ScriptedGateway([errors.Overloaded("busy"), grpc.StatusCode.UNAVAILABLE, ABSENT])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        assert await client.table("n.t").get("a") is None
        gateway.steps = [grpc.StatusCode.UNAVAILABLE] * 5
        with pytest.raises(errors.Unavailable, match="the gateway cannot be reached"):
            await client.table("n.t").get("a")


@pytest.mark.parametrize("code", sorted(ERRORS_BY_CODE))
async def test_every_error_arrives_as_its_class_with_its_facts(code: str) -> None:
    sent = ERRORS_BY_CODE[code]("what, to what, what to do", details={"a": "b"}, retry_after_s=0.25)
    once = ClientOptions(retry=RetryOptions(attempts_max=1))
    gateway = ScriptedGateway([sent])
    async with gateway.serve() as address, Client(address, options=once) as client:
        with pytest.raises(ERRORS_BY_CODE[code]) as raised:
            await client.table("n.t").put(ROW)
        found = raised.value
        assert type(found) is ERRORS_BY_CODE[code]
        assert found.message == sent.message
        assert found.details == {"a": "b"}
        assert found.retry_after_s == pytest.approx(0.25)


@pytest.mark.parametrize("error", [errors.InvalidArgument, errors.ConditionFailed, errors.Corrupt])
async def test_what_retrying_cannot_mend_is_not_retried(error: type[errors.TauluError]) -> None:
    gateway = ScriptedGateway([error("no"), WRITTEN])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        with pytest.raises(error):
            await client.table("n.t").put(ROW)
        assert len(gateway.requests) == 1


async def test_a_hint_is_waited_for_and_the_deadline_kept() -> None:
    gateway = ScriptedGateway([errors.Overloaded("busy", retry_after_s=60.0), WRITTEN])
    async with gateway.serve() as address, Client(address, options=FAST, timeout_s=2) as client:
        with pytest.raises(errors.Overloaded):
            await client.table("n.t").put(ROW)
        assert len(gateway.requests) == 1


async def test_what_the_attempts_met_is_told_when_a_wait_takes_too_long() -> None:
    async def oversleep(_: float) -> None:
        await asyncio.sleep(TIMEOUT_S)

    async def attempt(_: float) -> None:
        raise errors.Unavailable("nobody answers")

    retrier = Retrier(RetryOptions(), sleep=oversleep)
    with pytest.raises(errors.Unavailable, match="nobody answers"):
        await retrier.call(attempt, Deadline.after(TIMEOUT_S))


async def test_only_the_items_that_may_succeed_later_are_sent_again() -> None:
    first = data_pb2.BatchWriteResponse(
        outcomes=[
            written(1),
            outcome(errors.Contention("busy")),
            outcome(errors.ConditionFailed("no")),
            outcome(errors.WriteOutcomeUnknown("lost")),
        ],
        facts=FACTS,
    )
    second = data_pb2.BatchWriteResponse(
        outcomes=[written(2), outcome(errors.Unavailable("later"))], facts=FACTS
    )
    third = data_pb2.BatchWriteResponse(outcomes=[outcome(errors.Unavailable("l"))], facts=FACTS)
    gateway = ScriptedGateway([first, second, third, third, third])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        units = [Unit([Put({"id": f"{n}"})]) for n in range(4)]
        done = await client.table("n.t").batch_write(units)
    assert [getattr(d, "version", type(d)) for d in done] == [
        1,
        2,
        errors.ConditionFailed,
        errors.WriteOutcomeUnknown,
    ]
    sent = [[unit.token.nonce for unit in request.units] for request in gateway.requests]
    assert sent[1] == [sent[0][1], sent[0][3]]
    assert sent[2] == [sent[0][3]]


async def test_a_piece_that_fails_leaves_the_outcomes_of_the_others() -> None:
    reply = data_pb2.BatchWriteResponse(outcomes=[written(1), written(2)], facts=FACTS)
    gateway = ScriptedGateway([reply, errors.Corrupt("broken")], limits={"batch_units": 2})
    options = ClientOptions(chunks_at_once=1, retry=FAST.retry)
    async with gateway.serve() as address, Client(address, options=options) as client:
        done = await client.table("n.t").batch_put([{"id": f"{n}"} for n in range(4)])
    assert [type(d).__name__ for d in done] == ["Written", "Written", "Corrupt", "Corrupt"]


async def test_pieces_keep_to_the_bytes_that_the_gateway_takes() -> None:
    replies = [data_pb2.BatchWriteResponse(outcomes=[written(n)], facts=FACTS) for n in range(3)]
    gateway = ScriptedGateway(replies, limits={"request_bytes": 4_096 + 1_500})
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        done = await client.table("n.t").batch_put([{"id": f"{n}" * 1_000} for n in range(3)])
    assert len(done) == 3
    assert [len(request.units) for request in gateway.requests] == [1, 1, 1]


async def test_pieces_of_a_read_keep_to_the_bytes_that_the_client_takes() -> None:
    row_bytes = 1024 * 1024
    absent = data_pb2.RowOutcome(absent=data_pb2.Absent())
    replies = [data_pb2.BatchGetResponse(outcomes=[absent] * 2, facts=FACTS) for _ in range(3)]
    gateway = ScriptedGateway(replies, limits={"row_bytes": row_bytes})
    options = ClientOptions(retry=FAST.retry, response_bytes_max=8 * row_bytes)
    async with gateway.serve() as address, Client(address, options=options) as client:
        assert await client.table("n.t").batch_get(["a", "b", "c", "d", "e", "f"]) == [None] * 6
    assert [len(request.keys) for request in gateway.requests] == [2, 2, 2]


async def test_a_gateway_that_was_away_for_long_is_found_again_at_once() -> None:
    gateway = ScriptedGateway([ABSENT, ABSENT])
    once = ClientOptions(retry=RetryOptions(attempts_max=1))
    async with AsyncExitStack() as stack:
        async with gateway.serve(free_port()) as address:
            client = await stack.enter_async_context(Client(address, options=once))
            assert await client.table("n.t").get("a") is None
        away_until = time.monotonic() + 6
        while time.monotonic() < away_until:
            with pytest.raises(errors.Unavailable):
                await client.table("n.t").get("a")
            await asyncio.sleep(0.1)
        async with gateway.serve(int(address.rpartition(":")[2])):
            # Far fewer than a backoff that grows without end would need.
            for _ in range(50):
                try:
                    assert await client.table("n.t").get("a") is None
                    break
                except errors.Unavailable:
                    await asyncio.sleep(0.05)
            else:
                pytest.fail("it was not found again")


def test_the_budget_bounds_retries_and_successes_refill_it() -> None:
    budget = RetryBudget(RetryOptions(budget=2, budget_per_success=0.5))
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert budget.spend()
    for _ in range(100):
        budget.earn()
    assert budget.left == 2


async def test_a_spent_budget_ends_retries_for_all_calls() -> None:
    options = ClientOptions(retry=RetryOptions(delay_s=0.001, budget=3, attempts_max=5))
    gateway = ScriptedGateway([errors.Unavailable("down")] * 10)
    async with gateway.serve() as address, Client(address, options=options) as client:
        for _ in range(3):
            with pytest.raises(errors.Unavailable):
                await client.table("n.t").get("a")
    assert len(gateway.requests) == 3 + 3


async def test_a_broken_scan_goes_on_where_it_ended() -> None:
    def page(start: int, token: str) -> data_pb2.ScanResponse:
        rows = [
            value_pb2.Row(
                key=value_pb2.Key(partition=[value_pb2.Value(string_value=f"{n}")]), version=1
            )
            for n in range(start, start + 2)
        ]
        return data_pb2.ScanResponse(rows=rows, next_page_token=token, facts=FACTS)

    gateway = ScriptedGateway(
        stream_steps=[
            [page(0, "p1"), page(2, "p2"), grpc.StatusCode.UNAVAILABLE],
            [errors.Unavailable("draining")],
            [errors.Overloaded("busy")],
            [page(4, "p3"), page(6, "")],
        ]
    )
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        found = [item.row["id"] async for item in client.table("n.t").scan()]
    assert found == [f"{n}" for n in range(8)]
    assert [request.page_token for request in gateway.requests] == ["", "p2", "p2", "p2"]


async def test_a_broken_log_read_goes_on_where_it_ended() -> None:
    def page(start: int) -> log_pb2.ReadResponse:
        records = [
            log_pb2.LogRecord(offset=n, key=[value_pb2.Value(string_value="a")])
            for n in range(start, start + 2)
        ]
        return log_pb2.ReadResponse(
            records=records, next_offset=start + 2, end_offset=6, facts=FACTS
        )

    gateway = ScriptedGateway(
        stream_steps=[
            [page(0), page(2), grpc.StatusCode.UNAVAILABLE],
            [errors.Overloaded("busy")],
            [page(4)],
        ]
    )
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        found = [record.offset async for record in client.log("n.t").read(0)]
    assert found == list(range(6))
    assert [request.offset for request in gateway.requests] == [0, 4, 4]


async def test_a_stream_that_was_silent_for_long_goes_on_when_it_breaks() -> None:
    def page(at: int, token: str) -> data_pb2.ScanResponse:
        key = value_pb2.Key(partition=[value_pb2.Value(string_value=f"{at}")])
        row = value_pb2.Row(key=key, version=1)
        return data_pb2.ScanResponse(rows=[row], next_page_token=token, facts=FACTS)

    def record(at: int) -> log_pb2.ReadResponse:
        key = [value_pb2.Value(string_value="a")]
        records = [log_pb2.LogRecord(offset=at, key=key)]
        return log_pb2.ReadResponse(records=records, next_offset=at + 1, end_offset=2, facts=FACTS)

    # Longer than a call may take, and than a stream may be broken.
    breaks = [Silence(1.1), errors.Unavailable("draining")]
    gateway = ScriptedGateway(
        stream_steps=[[page(0, "p"), *breaks], [page(1, "")], [record(0), *breaks], [record(1)]]
    )
    async with gateway.serve() as address, Client(address, options=FAST, timeout_s=1) as client:
        assert len([row async for row in client.table("n.t").scan()]) == 2
        assert len([record async for record in client.log("n.t").read(0)]) == 2


async def test_a_reader_that_follows_from_the_end_goes_on_where_it_began() -> None:
    begun = log_pb2.ReadResponse(next_offset=4, end_offset=4, facts=FACTS)
    # Appended while the stream was broken: a new look at the end would pass it over.
    key = [value_pb2.Value(string_value="a")]
    missed = log_pb2.ReadResponse(
        records=[log_pb2.LogRecord(offset=4, key=key)], next_offset=5, end_offset=5, facts=FACTS
    )
    gateway = ScriptedGateway(stream_steps=[[begun, errors.Unavailable("draining")], [missed]])
    async with gateway.serve() as address, Client(address, options=FAST) as client:
        log = client.log("n.t").read(0, latest=True, follow=True, limit=1)
        assert [record.offset async for record in log] == [4]
    assert gateway.requests[1].offset == 4


async def test_a_gateway_that_is_not_there_is_told_so() -> None:
    once = ClientOptions(retry=RetryOptions(attempts_max=1))
    async with Client("127.0.0.1:1", options=once) as client:
        with pytest.raises(errors.Unavailable, match=r"cannot be reached .* is it running"):
            await client.table("n.t").get("a")
