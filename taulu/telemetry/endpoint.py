"""The HTTP server from which Prometheus scrapes one worker, in threads of its own.

Figures are read on the worker's event loop, in one step, so that they are of one moment and
nothing needs a lock; they are written out, packed and sent in the server's threads.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TypeAlias
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler

from taulu.telemetry.exposition import Exposition
from taulu.telemetry.metrics import Sample

_log = logging.getLogger(__name__)

PATH = "/metrics"
SCRAPES_MAX = 8
"""How many connections are served at once; one more is closed."""
READ_S_MAX = 5.0
"""How long the event loop may take to get round to a scrape."""
_SILENT_S_MAX = 10.0
"""How long a connection may send or take nothing."""

Read: TypeAlias = Callable[[], Sequence[Sample]]
_Connection: TypeAlias = socket.socket | tuple[bytes, socket.socket]


class Unanswered(Exception):
    """The worker's event loop did not get round to a scrape."""


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Where one worker is scraped."""

    host: str
    port: int
    worker: int


@asynccontextmanager
async def open_endpoint(options: EndpointOptions, read: Read) -> AsyncGenerator[None]:
    """Serve what `read` returns until the context is left.

    Args:
        options: The port is one that was reserved, with SO_REUSEPORT.
        read: Called on this event loop for each scrape; it must not block.

    Raises:
        OSError: The port cannot be bound.
    """
    loop = asyncio.get_running_loop()
    registry = CollectorRegistry()
    registry.register(Exposition(lambda: _read_on(loop, read), options.worker))
    server = _server(options, registry)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    _log.info(
        "metrics are at http://%s:%d%s",
        f"[{options.host}]" if ":" in options.host else options.host,
        options.port,
        PATH,
        extra={"worker": options.worker},
    )
    try:
        yield
    finally:
        # A scrape under way waits for this loop, which so must not wait for the scrape.
        await asyncio.to_thread(server.shutdown)
        server.server_close()


def _read_on(loop: asyncio.AbstractEventLoop, read: Read) -> Sequence[Sample]:
    """Return what is read in the thread of an event loop.

    Raises:
        Unanswered: The loop is blocked, or over.
    """
    done: Future[Sequence[Sample]] = Future()

    def fill() -> None:
        try:
            done.set_result(read())
        except Exception as error:  # noqa: BLE001 - it is raised to the scrape, not to the worker
            done.set_exception(error)

    try:
        loop.call_soon_threadsafe(fill)
    except RuntimeError as error:
        raise Unanswered("the worker is at its end") from error
    try:
        return done.result(READ_S_MAX)
    except TimeoutError as error:
        raise Unanswered(f"the worker did not get round to it within {READ_S_MAX:g} s") from error


class _Handler(MetricsHandler):
    timeout = _SILENT_S_MAX

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        if urlsplit(self.path).path != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            super().do_GET()
        except Unanswered as error:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))


class _Server(ThreadingTCPServer):
    """Not `http.server.HTTPServer`, which asks the name service for its own name when it binds."""

    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(SCRAPES_MAX)
        super().__init__(address, handler)

    def process_request_thread(self, request: _Connection, client_address: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: _Connection, client_address: object) -> None:
        del request
        error = sys.exception()
        # Whoever scraped may be gone by now; anything else is a defect.
        is_defect = not isinstance(error, OSError)
        _log.warning("a scrape from %s failed: %r", client_address, error, exc_info=is_defect)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server(options: EndpointOptions, registry: CollectorRegistry) -> _Server:
    server_type = _Server6 if ":" in options.host else _Server
    handler = type("_RegistryHandler", (_Handler,), {"registry": registry})
    return server_type((options.host, options.port), handler)
