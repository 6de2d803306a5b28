"""What a client says when it is used as it cannot be."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from taulu_client import Client, IdempotencyToken, IfVersion, errors
from tests.unit.taulu_client.parts import FAST, real_gateway

ITEMS = "conformance.items"
ORDERS = "conformance.orders"


@pytest.fixture
async def client():
    async with real_gateway() as address, Client(address, options=FAST) as opened:
        yield opened


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


async def test_what_no_message_holds_is_told_as_the_callers_mistake(client: Client) -> None:
    items, log = client.table(ITEMS), client.log("conformance.events")
    counter = client.counter("conformance.bounded")
    half = "\udc80"
    token = IdempotencyToken(2**63, "nonce-0001")
    for call in (
        counter.increment("a", 2**63),
        counter.increment("a", 1, floor=-(2**64)),
        counter.commit("a", half),
        items.get("a", columns=[half]),
        items.put({"id": "a"}, conditions=[IfVersion("a", 2**63)]),
        items.put({"id": "a"}, token=token),
        log.append("a", {}, token=token),
        anext(items.scan(page_size=2**31)),
        anext(client.table(ORDERS).query("a", page_size=2**31)),
        anext(log.read(2**31)),
        anext(log.read(0, offset=2**63)),
        client.describe(half),
        client.tables(half),
        client.gateway_caches.stats(half),
        anext(client.gateway_caches.verify(half)),
    ):
        with pytest.raises(errors.InvalidArgument, match="holds what cannot be sent"):
            await call
    with pytest.raises(errors.InvalidArgument, match="without a zone"):
        await anext(log.read(0, time=datetime(2026, 1, 1)))  # noqa: DTZ001 - it is the point
