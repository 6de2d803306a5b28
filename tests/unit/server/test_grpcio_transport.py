"""What the transport tells of requests, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc import aio

from taulu.model import SystemClock, Unavailable
from taulu.server.grpcio_transport import GrpcioTransport, TransportOptions
from taulu.server.listener import reserve_port
from taulu.server.method import Call, Method
from taulu.v1 import catalog_pb2 as pb

SERVICE = "/taulu.v1.CatalogService"
Request = pb.GetTableRequest
Seen = asyncio.Queue[tuple[str, str]]
"""Method and code of each request that has ended."""


async def _answer(request: Request, call: Call) -> pb.GetTableResponse:
    del call
    if request.table == "away":
        raise Unavailable("it is away")
    if request.table == "defect":
        raise ValueError("a defect")
    return pb.GetTableResponse()


async def _stream(request: Request, call: Call) -> AsyncIterator[pb.GetTableResponse]:
    del call
    yield pb.GetTableResponse()
    if request.table == "endless":
        await asyncio.Event().wait()


@asynccontextmanager
async def _served(seen: Seen) -> AsyncGenerator[aio.Channel]:
    methods = [
        Method(f"{SERVICE}/One", Request, unary=_answer),
        Method(f"{SERVICE}/Many", Request, stream=_stream),
    ]

    def observe(method: str, code: str, duration_s: float) -> None:
        assert duration_s >= 0
        seen.put_nowait((method.rpartition("/")[2], code))

    with reserve_port("127.0.0.1", 0) as port:
        options = TransportOptions(f"127.0.0.1:{port}", 1_000_000, 5.0, 60.0)
        transport = GrpcioTransport(methods, options, SystemClock(), observe)
        await transport.start()
        async with aio.insecure_channel(options.address) as channel:
            yield channel
        await transport.drain(0.1)


async def test_each_request_is_told_with_what_came_of_it() -> None:
    seen: Seen = asyncio.Queue()
    async with _served(seen) as channel:
        one = channel.unary_unary(f"{SERVICE}/One")
        await one(b"")
        for table, status in (
            ("away", grpc.StatusCode.UNAVAILABLE),
            ("defect", grpc.StatusCode.INTERNAL),
        ):
            with pytest.raises(aio.AioRpcError) as caught:
                await one(Request(table=table).SerializeToString())
            assert caught.value.code() is status
        with pytest.raises(aio.AioRpcError):
            await one(b"\xff")
        many = channel.unary_stream(f"{SERVICE}/Many")
        assert [reply async for reply in many(b"")] == [b""]
    assert [seen.get_nowait() for _ in range(seen.qsize())] == [
        ("One", "OK"),
        ("One", "UNAVAILABLE"),
        ("One", "INTERNAL"),
        ("One", "INVALID_ARGUMENT"),
        ("Many", "OK"),
    ]


async def test_a_request_that_is_cut_off_is_told_as_such() -> None:
    seen: Seen = asyncio.Queue()
    async with _served(seen) as channel:
        many = channel.unary_stream(f"{SERVICE}/Many")
        call = many(Request(table="endless").SerializeToString())
        await call.read()
        assert seen.empty()
        call.cancel()
        assert await seen.get() == ("Many", "CANCELLED")
