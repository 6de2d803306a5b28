"""A client's life: without async, closed, and in a loop that is not its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from taulu_client import Client, Delete, Put, Record, Unit, errors
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


async def test_a_closed_client_says_so() -> None:
    async with real_gateway() as address:
        client = Client(address, options=FAST)
        await client.table(ITEMS).get("a")
        await client.close()
        log = client.log("conformance.events")
        for call in (
            client.table(ITEMS).get("a"),
            client.table(ITEMS).put({"id": "a"}),
            client.counter("conformance.bounded").increment("a", 1),
            client.tables(),
            anext(log.read(0)),
        ):
            with pytest.raises(errors.Unavailable, match="the client is closed; make another"):
                await call
        await Client(address).close()


async def test_a_client_belongs_to_the_loop_of_its_first_call() -> None:
    async with real_gateway() as address:
        client = Client(address)

        def get_in_a_loop_of_its_own() -> None:
            assert asyncio.run(client.table(ITEMS).get("a")) is None

        await asyncio.to_thread(get_in_a_loop_of_its_own)
        with pytest.raises(errors.InvalidArgument, match="make one in each loop"):
            await client.table(ITEMS).get("a")
