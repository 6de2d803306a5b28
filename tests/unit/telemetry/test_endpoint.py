from __future__ import annotations

import asyncio
import select
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing

import pytest

from taulu.server.listener import reserve_port
from taulu.telemetry import endpoint
from taulu.telemetry.endpoint import EndpointOptions, open_endpoint
from taulu.telemetry.metrics import WATCHERS, Sample


def nothing() -> Sequence[Sample]:
    return ()


@asynccontextmanager
async def opened(read: endpoint.Read) -> AsyncGenerator[int]:
    with reserve_port("127.0.0.1", 0) as port:
        async with open_endpoint(EndpointOptions("127.0.0.1", port, worker=0), read):
            yield port


def fetch(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
        return reply.read().decode()


async def test_figures_are_read_on_the_event_loop() -> None:
    seen: list[asyncio.AbstractEventLoop] = []

    def read() -> Sequence[Sample]:
        seen.append(asyncio.get_running_loop())
        return [Sample(WATCHERS, 4)]

    async with opened(read) as port:
        text = await asyncio.to_thread(fetch, port)
    assert 'taulu_cache_watchers{worker="0"} 4.0' in text
    assert seen == [asyncio.get_running_loop()]


async def test_a_loop_that_is_blocked_makes_a_scrape_fail_and_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoint, "READ_S_MAX", 0.01)
    async with opened(nothing) as port:
        # Called here and not in a thread, so that the loop has no time for it.
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(port)
        with closing(caught.value) as error:
            assert error.code == 503
            assert "did not get round to it" in error.read().decode()


async def test_a_defect_fails_its_own_scrape_only(caplog: pytest.LogCaptureFixture) -> None:
    defects = [ValueError("no such number")]

    def read() -> Sequence[Sample]:
        if defects:
            raise defects.pop()
        return ()

    async with opened(read) as port:
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(fetch, port)
        assert "python_info" in await asyncio.to_thread(fetch, port)
    assert "no such number" in caplog.text


async def test_there_is_nothing_beside_the_metrics() -> None:
    async with opened(nothing) as port:
        with pytest.raises(urllib.error.HTTPError) as caught:
            await asyncio.to_thread(fetch, port, "/")
        with closing(caught.value) as error:
            assert error.code == 404


async def test_connections_that_say_nothing_are_few_and_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoint, "SCRAPES_MAX", 1)
    async with opened(nothing) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        # One of them is served, which means waited for; the other is closed.
        ended, _, _ = await asyncio.to_thread(select.select, silent, [], [], 30)
        assert [connection.recv(1) for connection in ended] == [b""]
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(fetch, port)
        for connection in silent:
            connection.close()
        while True:
            try:
                assert "python_info" in await asyncio.to_thread(fetch, port)
                break
            except ConnectionError:
                await asyncio.sleep(0.01)


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with opened(nothing) as port:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = EndpointOptions("127.0.0.1", other.getsockname()[1], worker=1)
            with pytest.raises(OSError, match="in use"):
                async with open_endpoint(taken, nothing):
                    pass
        assert "python_info" in await asyncio.to_thread(fetch, port)
    with pytest.raises(urllib.error.URLError, match="refused"):
        await asyncio.to_thread(fetch, port)
