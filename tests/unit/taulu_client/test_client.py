from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import BaseModel

from taulu_client import (
    Client,
    Counter,
    Delete,
    DeleteRange,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Level,
    Put,
    Record,
    Unit,
    Update,
    Written,
    bounded,
    errors,
    new_token,
)
from taulu_client.row_types import row_type
from taulu_client.sync import SyncClient
from tests.unit.taulu_client.parts import FAST, real_gateway

ITEMS = "conformance.items"
ORDERS = "conformance.orders"


@dataclass
class Order:
    owner: str
    day: int
    name: str
    count: int | None
    text: str = "none"


class OrderModel(BaseModel):
    owner: str
    day: int
    name: str
    count: int | None = None


@pytest.fixture
async def client():
    async with real_gateway() as address, Client(address, options=FAST) as opened:
        yield opened


async def test_rows_as_mappings(client: Client) -> None:
    items = client.table(ITEMS)
    written = await items.put(
        {"id": "a", "count": 1, "ratio": 2, "point": [1, 2, 3], "price": Decimal("1.50")}
    )
    item = await items.get("a")
    assert item is not None
    assert item.row == {
        "id": "a",
        "count": 1,
        "ratio": 2.0,
        "point": array("f", [1, 2, 3]),
        "price": Decimal("1.50"),
    }
    assert item.version == written.version
    assert item.facts.level is Level.LINEARIZABLE
    assert await items.get("b") is None
    assert (await items.get({"id": "a"}, columns=["count"])).row == {"id": "a", "count": 1}


async def test_rows_as_dataclasses_and_models(client: Client) -> None:
    orders = client.table(ORDERS, Order)
    await orders.put(Order("ada", 1, "x", None))
    await orders.put({"owner": "ada", "day": 2, "name": "y", "count": 5})
    item = await orders.get(("ada", 1, "x"))
    assert item.row == Order("ada", 1, "x", None, "none")
    models = client.table(ORDERS, OrderModel)
    assert (await models.get(("ada", 2, "y"))).row == OrderModel(
        owner="ada", day=2, name="y", count=5
    )
    await models.put(OrderModel(owner="ada", day=3, name="z", count=1))
    assert [i.row.day async for i in models.query("ada")] == [3, 2, 1]
    with pytest.raises(TypeError):
        row_type(int)


async def test_insert_update_delete_and_conditions(client: Client) -> None:
    items = client.table(ITEMS)
    first = await items.insert({"id": "a", "count": 1}, ttl=timedelta(hours=1))
    with pytest.raises(errors.ConditionFailed) as failed:
        await items.insert({"id": "a", "count": 2})
    assert failed.value.details["version"] == str(first.version)
    await items.update(
        "a", {"count": None, "text": "x"}, conditions=[IfVersion("a", first.version)]
    )
    item = await items.get("a")
    assert item.row == {"id": "a", "text": "x"}
    assert item.expire_time is not None
    await items.delete("a", conditions=[IfColumns("a", {"text": "x"}), IfPresent("a")])
    assert await items.get("a") is None


async def test_units_are_atomic(client: Client) -> None:
    orders = client.table(ORDERS)
    await orders.write(
        [
            Put({"owner": "ada", "day": 1, "name": "a", "count": 1}),
            Update(("ada", 1, "b"), {"count": 2}),
            Put({"owner": "ada", "day": 2, "name": "c"}, timedelta(hours=1)),
        ]
    )
    with pytest.raises(errors.ConditionFailed):
        await orders.write(
            [DeleteRange("ada"), Delete(("ada", 1, "a"))],
            conditions=[IfAbsent(("ada", 1, "a"))],
        )
    assert len([item async for item in orders.query("ada")]) == 3
    await orders.delete_range("ada", start=1, end=(1, "b"), end_exclusive=True)
    assert [i.row["name"] async for i in orders.query("ada")] == ["c", "b"]


async def test_a_token_makes_a_write_safe_to_repeat(client: Client) -> None:
    items, token = client.table(ITEMS), new_token()
    first = await items.put({"id": "a", "count": 1}, token=token)
    await items.put({"id": "a", "count": 2})
    assert await items.put({"id": "a", "count": 1}, token=token) == first
    assert (await items.get("a")).row["count"] == 2
    with pytest.raises(errors.TokenReused):
        await items.put({"id": "b"}, token=token)


async def test_batches_of_any_size_keep_order_and_duplicates(client: Client) -> None:
    items = client.table(ITEMS)
    count = 1_200
    done = await items.batch_put([{"id": f"{n}", "count": n} for n in range(count)])
    assert all(isinstance(outcome, Written) for outcome in done)
    keys = [f"{n}" for n in range(count)] + ["none", "7", "7"]
    found = await items.batch_get(keys)
    numbers = [None if item is None else item.row["count"] for item in found]
    assert numbers == [*range(count), None, 7, 7]
    assert await items.batch_get([]) == []


async def test_one_oversized_row_fails_alone(client: Client) -> None:
    items = client.table(ITEMS)
    rows = [{"id": "a"}, {"id": "b", "text": "x" * 200_000}, {"id": "c"}]
    done = await items.batch_put(rows)
    assert [type(outcome).__name__ for outcome in done] == ["Written", "LimitExceeded", "Written"]
    assert done[1].details["limit"] == "row_bytes"


async def test_queries_page_through_ranges_both_ways(client: Client) -> None:
    orders = client.table(ORDERS)
    await orders.batch_put(
        [{"owner": "ada", "day": day, "name": name} for day in range(5) for name in "ab"]
    )

    async def found(**options) -> list[str]:
        rows = [item.row async for item in orders.query("ada", page_size=3, **options)]
        return [f"{row['day']}{row['name']}" for row in rows]

    everything = [f"{day}{name}" for day in range(4, -1, -1) for name in "ab"]
    assert await found() == everything
    assert await found(reverse=True) == everything[::-1]
    assert await found(limit=4) == everything[:4]
    assert await found(start=3, end=2) == ["3a", "3b", "2a", "2b"]
    assert await found(start=(3, "a"), start_exclusive=True, end=2, end_exclusive=True) == ["3b"]
    page = await orders.query_page(("ada",), page_size=9)
    assert len(page.items) == 9
    rest = await orders.query_page(("ada",), page_size=9, page_token=page.next_page_token)
    assert [len(rest.items), rest.next_page_token] == [1, ""]


async def test_scans_read_everything_by_segments(client: Client) -> None:
    items = client.table(ITEMS)
    await items.batch_put([{"id": f"{n}"} for n in range(100)])
    whole = [item.row["id"] async for item in items.scan(segments=3, page_size=10)]
    parts = [
        item.row["id"]
        for segment in range(3)
        async for item in items.scan(segments=3, segment=segment)
    ]
    assert sorted(whole) == sorted(parts) == sorted(f"{n}" for n in range(100))


async def test_counters_and_holds(client: Client) -> None:
    counter = client.counter("conformance.bounded")
    assert (await counter.get("a")).value == 0
    assert (await counter.increment("a", 60)).value == 60
    hold = await counter.reserve("a", 30, ttl=timedelta(minutes=1))
    assert (hold.amount, hold.counter.held_increase) == (30, 30)
    with pytest.raises(errors.BoundExceeded):
        await counter.increment("a", 20)
    with pytest.raises(errors.BoundExceeded):
        await counter.increment("a", 5, ceiling=70)
    assert (await counter.commit("a", hold.hold_id, amount=10)).value == 70
    other = await counter.reserve("a", -70, ttl=timedelta(minutes=1), hold_id="mine")
    assert other.hold_id == "mine"
    assert (await counter.release("a", "mine")).held_decrease == 0
    states = await counter.batch_get(["a", "b"])
    assert [state.value for state in states if isinstance(state, Counter)] == [70, 0]


async def test_logs(client: Client) -> None:
    log = client.log("conformance.events")
    assert await log.partition_count() == 4
    first = await log.append("a", {"count": 0})
    more = await log.batch_append([Record("a", {"count": n}) for n in range(1, 1_200)])
    assert [outcome.offset for outcome in more] == list(range(1, 1_200))
    partition = first.partition

    async def found(**options) -> list[int]:
        return [record.columns["count"] async for record in log.read(partition, **options)]

    assert await found() == list(range(1_200))
    assert await found(offset=1_190) == list(range(1_190, 1_200))
    assert await found(limit=3) == [0, 1, 2]
    assert await found(limit=0) == []
    assert await found(latest=True) == []
    assert await found(time=first.append_time, limit=1) == [0]
    with pytest.raises(errors.OffsetOutOfRange):
        await found(offset=9_999)
    with pytest.raises(errors.InvalidArgument, match="one of"):
        await found(offset=1, latest=True)

    async def follow() -> int:
        async for record in log.read(partition, latest=True, follow=True):
            return record.columns["count"]
        return -1

    async with asyncio.timeout(60):
        task = asyncio.create_task(follow())
        # The follower begins some time after it was asked for: what comes after that is read.
        while not task.done():
            await log.append("a", {"count": 5_000})
            await asyncio.sleep(0.05)
        assert task.result() == 5_000


async def test_mistakes_are_told_before_anything_is_sent(client: Client) -> None:
    items, orders = client.table(ITEMS), client.table(ORDERS)
    with pytest.raises(errors.InvalidArgument, match="did you mean 'count'"):
        await items.put({"id": "a", "cuont": 1})
    with pytest.raises(errors.InvalidArgument, match="lacks its key column day"):
        await orders.put({"owner": "a", "name": "b"})
    with pytest.raises(errors.InvalidArgument, match="has 3 values"):
        await orders.get("a")
    with pytest.raises(errors.InvalidArgument, match="skips a value"):
        await orders.get({"owner": "a", "name": "b"})
    with pytest.raises(errors.InvalidArgument, match="as a mapping"):
        await items.put(Order("a", 1, "b", 1))
    with pytest.raises(errors.InvalidArgument, match="cannot be sent"):
        await items.put({"id": "a", "text": object()})
    with pytest.raises(errors.InvalidArgument, match="cannot be sent"):
        await items.put({"id": "a", "count": 2**63})
    with pytest.raises(errors.InvalidArgument, match="more digits than a float64 keeps"):
        await items.put({"id": "a", "ratio": 2**53 + 1})
    with pytest.raises(errors.InvalidArgument, match="too large to convert to float"):
        await items.put({"id": "a", "ratio": 10**400})
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(errors.InvalidArgument, match="nests deeper than 8 levels"):
        await items.put({"id": "a", "text": endless})
    with pytest.raises(errors.UnknownTable, match=r"did you mean 'conformance\.items'"):
        await client.table("conformance.item").get("a")


async def test_a_session_is_carried_to_another_client() -> None:
    async with real_gateway() as address:
        async with Client(address) as one:
            assert one.session_token == ""
            written = await one.table(ITEMS).put({"id": "a"})
            assert one.session_token == f"v1:{written.version}"
        async with Client(address, session_token=one.session_token) as other:
            item = await other.table(ITEMS).get("a", consistency=Level.SESSION)
            assert item.version == written.version
            await other.table(ITEMS).get("a", consistency=bounded(timedelta(seconds=5)))
        with pytest.raises(errors.InvalidToken):
            Client(address, session_token="garbage")


async def test_the_catalog(client: Client) -> None:
    tables = {info.name: info for info in await client.tables()}
    assert len(tables) == 10
    info = await client.describe(ORDERS)
    assert info == tables[ORDERS]
    assert [(c.name, c.type, c.role) for c in info.columns][:3] == [
        ("owner", "string", "partition"),
        ("day", "int64", "clustering desc"),
        ("name", "string", "clustering asc"),
    ]
    assert info.limits["batch_keys"] == 500
    assert info.limits["request_bytes"] == 4 * 1024 * 1024
    assert await client.tables("nothing") == []


async def test_the_facade_does_the_same_without_async() -> None:
    async with real_gateway() as address:

        def use() -> None:
            with SyncClient(address, options=FAST) as client:
                orders = client.table(ORDERS, Order)
                orders.put(Order("ada", 1, "x", 1))
                orders.insert(Order("ada", 2, "x", 2))
                orders.update(("ada", 1, "x"), {"count": 3})
                assert orders.get(("ada", 1, "x")).row.count == 3
                assert [item.row.day for item in orders.query("ada")] == [2, 1]
                assert next(iter(orders.query("ada"))).row.day == 2
                assert len(list(orders.scan())) == 2
                assert len(orders.query_page("ada").items) == 2
                orders.batch_put([Order("bob", n, "y", n) for n in range(3)])
                orders.batch_write([Unit([Delete(("bob", 0, "y"))])])
                assert [
                    i is None for i in orders.batch_get([("bob", 0, "y"), ("bob", 1, "y")])
                ] == [
                    True,
                    False,
                ]
                orders.delete(("bob", 1, "y"))
                orders.delete_range("bob")
                orders.write([Put(Order("bob", 9, "z", 9))])
                counter = client.counter("conformance.bounded")
                counter.increment("a", 5)
                hold = counter.reserve("a", 5, ttl=timedelta(minutes=1))
                counter.commit("a", hold.hold_id)
                hold = counter.reserve("a", 5, ttl=timedelta(minutes=1))
                counter.release("a", hold.hold_id)
                assert counter.get("a").value == 10
                assert len(counter.batch_get(["a"])) == 1
                log = client.log("conformance.events")
                where = log.append("s", {"count": 1})
                log.batch_append([Record("s", {"count": 2})])
                assert [r.columns["count"] for r in log.read(where.partition)] == [1, 2]
                assert log.partition_count() == 4
                assert len(client.tables()) == 10
                assert client.describe(ORDERS).kind == "wide"
                assert client.session_token
                with pytest.raises(errors.ConditionFailed):
                    orders.insert(Order("ada", 1, "x", 1))
            client.close()
            with pytest.raises(errors.Unavailable, match="closed"):
                orders.get(("ada", 1, "x"))

        await asyncio.to_thread(use)
