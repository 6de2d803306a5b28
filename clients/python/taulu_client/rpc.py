"""The calls of `taulu.v1` on one channel: messages in, messages or typed errors out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError, Channel

from taulu.model.errors import InvalidArgument, Unavailable
from taulu.v1 import cache_pb2, catalog_pb2, counter_pb2, data_pb2, log_pb2
from taulu_client.failures import to_taulu

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)

_KEEPALIVE_MS = 30_000
_KEEPALIVE_TIMEOUT_MS = 10_000
_RECONNECT_MS_MIN = 100
_RECONNECT_MS_MAX = 1_000
"""How long a lost gateway is left alone between two looks for it. Left to itself gRPC would wait
for up to two minutes, and every call would fail while the gateway has long come back."""


@dataclass(frozen=True, slots=True)
class Method(Generic[RequestT, ReplyT]):
    """One RPC, by where it is found and what it answers with."""

    path: str
    request_type: type[RequestT]
    reply_type: type[ReplyT]
    is_write: bool = False


_DATA = "/taulu.v1.DataService/"
_COUNTER = "/taulu.v1.CounterService/"
_LOG = "/taulu.v1.LogService/"
_CACHE = "/taulu.v1.CacheService/"
_CATALOG = "/taulu.v1.CatalogService/"

BATCH_GET = Method(f"{_DATA}BatchGet", data_pb2.BatchGetRequest, data_pb2.BatchGetResponse)
QUERY = Method(f"{_DATA}Query", data_pb2.QueryRequest, data_pb2.QueryResponse)
SCAN = Method(f"{_DATA}Scan", data_pb2.ScanRequest, data_pb2.ScanResponse)
BATCH_WRITE = Method(
    f"{_DATA}BatchWrite", data_pb2.BatchWriteRequest, data_pb2.BatchWriteResponse, is_write=True
)
INCREMENT = Method(
    f"{_COUNTER}Increment",
    counter_pb2.IncrementRequest,
    counter_pb2.IncrementResponse,
    is_write=True,
)
RESERVE = Method(
    f"{_COUNTER}Reserve", counter_pb2.ReserveRequest, counter_pb2.ReserveResponse, is_write=True
)
COMMIT = Method(
    f"{_COUNTER}Commit", counter_pb2.CommitRequest, counter_pb2.CommitResponse, is_write=True
)
RELEASE = Method(
    f"{_COUNTER}Release", counter_pb2.ReleaseRequest, counter_pb2.ReleaseResponse, is_write=True
)
GET_COUNTERS = Method(
    f"{_COUNTER}GetCounters", counter_pb2.GetCountersRequest, counter_pb2.GetCountersResponse
)
APPEND = Method(f"{_LOG}Append", log_pb2.AppendRequest, log_pb2.AppendResponse, is_write=True)
READ = Method(f"{_LOG}Read", log_pb2.ReadRequest, log_pb2.ReadResponse)
LIST_TABLES = Method(
    f"{_CATALOG}ListTables", catalog_pb2.ListTablesRequest, catalog_pb2.ListTablesResponse
)
GET_TABLE = Method(f"{_CATALOG}GetTable", catalog_pb2.GetTableRequest, catalog_pb2.GetTableResponse)


WATCH = Method(f"{_CACHE}Watch", cache_pb2.WatchRequest, cache_pb2.WatchResponse)
VERIFY_CACHE = Method(
    f"{_CACHE}VerifyCache", cache_pb2.VerifyCacheRequest, cache_pb2.VerifyCacheResponse
)
GET_CACHE_STATS = Method(
    f"{_CACHE}GetCacheStats", cache_pb2.GetCacheStatsRequest, cache_pb2.GetCacheStatsResponse
)


def _open_channel(address: str, response_bytes_max: int) -> Channel:
    """Return a channel to `host:port`; it connects with the first call."""
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", response_bytes_max),
            # The gateway says what it takes, and refuses more with a typed error.
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
            ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS_MIN),
            ("grpc.min_reconnect_backoff_ms", _RECONNECT_MS_MIN),
            ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS_MAX),
            # A client of its own, so that it does not wait out what another one met.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
        ],
    )


class Rpc:
    """All calls on one channel. No call is sent twice here.

    The channel is opened with the first call, for it belongs to the event loop that runs then.
    """

    def __init__(self, address: str, response_bytes_max: int) -> None:
        self._address = address
        self._response_bytes_max = response_bytes_max
        self._channel: Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._unary: dict[str, Callable[..., Any]] = {}
        self._streams: dict[str, Callable[..., Any]] = {}

    async def call(
        self, method: Method[RequestT, ReplyT], request: RequestT, timeout_s: float
    ) -> ReplyT:
        """Send a request and return the reply.

        Raises:
            TauluError: What the gateway answered, or what became of the connection.
        """
        channel = self._opened()
        made = self._unary.get(method.path)
        if made is None:
            made = channel.unary_unary(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.reply_type.FromString,
            )
            self._unary[method.path] = made
        try:
            return cast(ReplyT, await made(request, timeout=timeout_s))
        except AioRpcError as failure:
            raise to_taulu(failure, is_write=method.is_write) from failure

    async def stream(
        self, method: Method[RequestT, ReplyT], request: RequestT, timeout_s: float | None
    ) -> AsyncGenerator[ReplyT]:
        """Send a request and yield the replies; closing the generator ends the call."""
        channel = self._opened()
        made = self._streams.get(method.path)
        if made is None:
            made = channel.unary_stream(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.reply_type.FromString,
            )
            self._streams[method.path] = made
        replies = made(request, timeout=timeout_s)
        try:
            async for reply in replies:
                yield cast(ReplyT, reply)
        except AioRpcError as failure:
            raise to_taulu(failure, is_write=method.is_write) from failure
        finally:
            replies.cancel()

    async def close(self) -> None:
        """Close the channel."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close()

    def _opened(self) -> Channel:
        if self._is_closed:
            raise Unavailable("the client is closed; make another")
        loop = asyncio.get_running_loop()
        if self._channel is None:
            self._channel = _open_channel(self._address, self._response_bytes_max)
            self._loop = loop
        if loop is not self._loop:
            raise InvalidArgument(
                "the client is used in another event loop than before; make one in each loop"
            )
        return self._channel
