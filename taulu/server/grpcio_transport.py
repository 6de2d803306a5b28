"""The reference transport: `grpc.aio`, with health and reflection beside the services."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from taulu.model.clock import Clock
from taulu.model.errors import ConfigError, Internal, TauluError
from taulu.server import reflection
from taulu.server.method import Call, Method
from taulu.server.status import status_of
from taulu.server.timed import OK, Observe, Timed, unobserved
from taulu.spi.context import Context

_log = logging.getLogger(__name__)

DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"
REQUEST_ID_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """What a transport needs to know."""

    address: str
    """`host:port`."""
    request_bytes_max: int
    deadline_default_s: float
    deadline_max_s: float


class GrpcioTransport:
    """Serves methods on one port, which other workers of this server share."""

    def __init__(
        self,
        methods: Sequence[Method[Any]],
        options: TransportOptions,
        clock: Clock,
        observe: Observe = unobserved,
    ) -> None:
        self._options = options
        self._clock = clock
        self._observe = observe
        self._draining = asyncio.Event()
        self._health = health.aio.HealthServicer()
        self._server = aio.server(
            options=(
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", options.request_bytes_max),
                ("grpc.max_send_message_length", -1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            )
        )
        for service, handlers in self._handlers(methods).items():
            generic = grpc.method_handlers_generic_handler(service, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._services = sorted({_service_of(method) for method in methods})
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_reflection(names, self._server)

    async def start(self) -> None:
        """Bind the port and begin to serve.

        Raises:
            ConfigError: The address cannot be bound.
        """
        try:
            port = self._server.add_insecure_port(self._options.address)
        except RuntimeError as error:
            raise ConfigError(
                f"cannot listen on {self._options.address}: {error}; "
                "choose another `listen` address, or stop what uses this one"
            ) from error
        if port == 0:
            raise ConfigError(f"cannot listen on {self._options.address}; choose another address")
        await self._server.start()
        await self._set_serving(serving=True)

    async def drain(self, grace_s: float) -> None:
        """Refuse new calls, let open ones finish for a while, then cancel the rest."""
        await self._set_serving(serving=False)
        self._draining.set()
        await self._server.stop(grace_s)

    async def _set_serving(self, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for service in ("", *self._services):
            await self._health.set(service, status.SERVING if serving else status.NOT_SERVING)

    def _handlers(
        self, methods: Sequence[Method[Any]]
    ) -> dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]]:
        by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for method in methods:
            name = method.path.rpartition("/")[2]
            handlers = by_service.setdefault(_service_of(method), {})
            if method.unary is not None:
                handlers[name] = grpc.unary_unary_rpc_method_handler(self._unary(method))
            else:
                handlers[name] = grpc.unary_stream_rpc_method_handler(self._stream(method))
        return by_service

    def _unary(self, method: Method[Any]) -> Callable[[bytes, Any], Awaitable[bytes]]:
        unary = method.unary
        assert unary is not None  # noqa: S101 - told apart by the caller

        async def handle(data: bytes, rpc: aio.ServicerContext[Any, Any]) -> bytes:
            with Timed(method.path, self._clock, self._observe) as timed:
                call = self._call(rpc)
                try:
                    reply = await unary(method.decode(data), call)
                    answer = reply.SerializeToString()
                except Exception as error:  # noqa: BLE001 - the edge: every error becomes a status
                    told = _told(error, method, call)
                    timed.end(told.code)
                    await _abort(rpc, told)
                timed.end(OK)
                return answer

        return handle

    def _stream(self, method: Method[Any]) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        stream = method.stream
        assert stream is not None  # noqa: S101 - told apart by the caller

        async def handle(data: bytes, rpc: aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
            with Timed(method.path, self._clock, self._observe) as timed:
                call = self._call(rpc)
                try:
                    async for reply in stream(method.decode(data), call):
                        yield reply.SerializeToString()
                except Exception as error:  # noqa: BLE001 - the edge: every error becomes a status
                    told = _told(error, method, call)
                    timed.end(told.code)
                    await _abort(rpc, told)
                timed.end(OK)

        return handle

    def _call(self, rpc: aio.ServicerContext[Any, Any]) -> Call:
        # None when the caller set no deadline, whatever the stubs say.
        remaining_s = cast("float | None", rpc.time_remaining())
        has_deadline = remaining_s is not None
        allowed_s = self._options.deadline_default_s if remaining_s is None else remaining_s
        deadline = self._clock.monotonic() + min(allowed_s, self._options.deadline_max_s)
        context = Context(deadline, request_id=_request_id(rpc))
        return Call(context, has_deadline, self._draining)


def _service_of(method: Method[Any]) -> str:
    return method.path.split("/")[1]


def _request_id(rpc: aio.ServicerContext[Any, Any]) -> str:
    """Return the caller's request id, or a new one."""
    for key, value in rpc.invocation_metadata() or ():
        if key == REQUEST_ID_KEY:
            return str(value)[:REQUEST_ID_CHARS_MAX]
    return uuid.uuid4().hex


def _told(error: Exception, method: Method[Any], call: Call) -> TauluError:
    """Return what the caller is told of an error; a defect is logged."""
    if isinstance(error, TauluError):
        return error
    _log.exception("defect", extra={"method": method.path, "request_id": call.context.request_id})
    return Internal(
        f"a defect in the gateway stopped {method.path}; its log has the details "
        f"under request id {call.context.request_id}",
        details={"request_id": call.context.request_id},
    )


async def _abort(rpc: aio.ServicerContext[Any, Any], error: TauluError) -> NoReturn:
    code, message, details = status_of(error)
    await rpc.abort(code, message, ((DETAILS_KEY, details),))
    raise AssertionError("abort returned")
