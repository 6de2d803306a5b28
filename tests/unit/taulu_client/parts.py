"""What the tests of the client share.

`ScriptedGateway` stands for a gateway, or a network, that fails on demand, which the real one
cannot be told to do. Everything else here runs against the real gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc import aio

from taulu.conformance import CONFORMANCE_TABLES, ShiftedClock
from taulu.conformance.tables import STORAGE
from taulu.gateway import StorageTarget
from taulu.model import TauluError
from taulu.server.status import status_of
from taulu.v1 import catalog_pb2, counter_pb2, data_pb2, log_pb2
from taulu_client import ClientOptions, RetryOptions
from tests.testbed.live_gateway import live_gateway

FAST = ClientOptions(retry=RetryOptions(delay_s=0.001, delay_s_max=0.01))


@dataclass(frozen=True)
class Silence:
    """A stream on which nothing comes for a while."""

    seconds: float


Step = Message | TauluError | grpc.StatusCode | Silence
"""What a scripted call does: reply, fail with the gateway's details, or without any, or wait."""


@asynccontextmanager
async def real_gateway() -> AsyncGenerator[str]:
    storage = {STORAGE: StorageTarget("memory", {})}
    async with live_gateway(CONFORMANCE_TABLES, storage, ShiftedClock()) as address:
        yield address


@dataclass
class ScriptedGateway:
    """Answers each call with the next step of a script; keeps what it was sent."""

    steps: list[Step] = field(default_factory=list)
    stream_steps: list[list[Step]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> catalog_pb2.Table:
        columns = [
            catalog_pb2.Column(
                name="id", type="string", role=catalog_pb2.COLUMN_ROLE_PARTITION_KEY
            ),
            catalog_pb2.Column(name="count", type="int64", role=catalog_pb2.COLUMN_ROLE_DATA),
        ]
        limits = {"batch_keys": 500, "batch_units": 500, "request_bytes": 4_194_304, **self.limits}
        return catalog_pb2.Table(
            name="n.t",
            kind=catalog_pb2.TABLE_KIND_KV,
            columns=columns,
            read_consistency=4,
            write_consistency=4,
            limits=catalog_pb2.TableLimits(**limits),
            partition_count=1,
        )

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncGenerator[str]:
        server = aio.server()
        unary = {
            "/taulu.v1.DataService/BatchGet": data_pb2.BatchGetRequest,
            "/taulu.v1.DataService/BatchWrite": data_pb2.BatchWriteRequest,
            "/taulu.v1.CounterService/Increment": counter_pb2.IncrementRequest,
            "/taulu.v1.LogService/Append": log_pb2.AppendRequest,
        }
        streams = {
            "/taulu.v1.DataService/Scan": data_pb2.ScanRequest,
            "/taulu.v1.LogService/Read": log_pb2.ReadRequest,
        }
        server.add_generic_rpc_handlers((_Handlers(self, unary, streams),))
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)

    async def answer(self, request: Any, call: aio.ServicerContext) -> Message:
        self.requests.append(request)
        return await self._take(self.steps.pop(0), call)

    async def stream(self, request: Any, call: aio.ServicerContext) -> AsyncGenerator[Message]:
        self.requests.append(request)
        for step in self.stream_steps.pop(0):
            if isinstance(step, Silence):
                await asyncio.sleep(step.seconds)
            else:
                yield await self._take(step, call)

    async def describe(self, request: Any, call: aio.ServicerContext) -> Message:
        del request, call
        return catalog_pb2.GetTableResponse(table=self.table)

    async def _take(self, step: Step, call: aio.ServicerContext) -> Message:
        if isinstance(step, TauluError):
            code, message, details = status_of(step)
            call.set_trailing_metadata((("grpc-status-details-bin", details),))
            await call.abort(code, message)
        if isinstance(step, grpc.StatusCode):
            await call.abort(step, "the wire broke")
        assert isinstance(step, Message)
        return step


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, gateway: ScriptedGateway, unary: dict, streams: dict) -> None:
        self._gateway = gateway
        self._unary = unary
        self._streams = streams

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        path = details.method
        serialize: Callable[[Message], bytes] = lambda message: message.SerializeToString()  # noqa: E731
        if path == "/taulu.v1.CatalogService/GetTable":
            return grpc.unary_unary_rpc_method_handler(
                self._gateway.describe, catalog_pb2.GetTableRequest.FromString, serialize
            )
        if path in self._unary:
            return grpc.unary_unary_rpc_method_handler(
                self._gateway.answer, self._unary[path].FromString, serialize
            )
        if path in self._streams:
            return grpc.unary_stream_rpc_method_handler(
                self._gateway.stream, self._streams[path].FromString, serialize
            )
        return None
