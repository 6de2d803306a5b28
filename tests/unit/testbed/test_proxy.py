from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.testbed.proxy import Proxy

SOON_S = 0.2
HELD_S = 3.0
PATIENCE_S = 10.0
Address = tuple[str, int]


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except OSError:
            return


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture
def echo() -> Iterator[Address]:
    with EchoServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: Address) -> Iterator[Proxy]:
    with Proxy(echo) as running:
        yield running


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S)


def said_back(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return received(connection, len(data))


def received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def test_it_passes_bytes_both_ways_and_in_order(proxy: Proxy) -> None:
    data = bytes(range(256)) * 4_096
    with connect(proxy) as connection:
        sending = threading.Thread(target=connection.sendall, args=(data,))
        sending.start()
        assert received(connection, len(data)) == data
        sending.join()


def test_the_end_of_one_direction_is_passed_on(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        assert received(connection, 100) == b"last words"


def test_a_slow_one_holds_back_what_is_sent_and_keeps_its_order(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.slow(HELD_S)
        connection.sendall(b"first")
        connection.settimeout(SOON_S / 2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE_S)
        proxy.mend()
        connection.sendall(b"second")
        assert received(connection, 11) == b"firstsecond"


def test_a_silent_one_passes_nothing_until_it_is_mended(proxy: Proxy) -> None:
    with connect(proxy) as before:
        assert said_back(before, b"hello") == b"hello"
        proxy.silence()
        with connect(proxy) as during:
            for connection in (before, during):
                connection.sendall(b"anyone?")
                connection.settimeout(SOON_S)
                with pytest.raises(TimeoutError):
                    connection.recv(1)
                connection.settimeout(PATIENCE_S)
            proxy.mend()
            for connection in (before, during):
                assert received(connection, 7) == b"anyone?"


def test_a_cut_resets_every_connection_and_each_new_one(proxy: Proxy) -> None:
    with connect(proxy) as before:
        assert said_back(before, b"hello") == b"hello"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            before.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as during:
        during.recv(1)
    proxy.mend()
    with connect(proxy) as after:
        assert said_back(after, b"hello") == b"hello"


def test_a_dead_target_is_a_reset_until_it_is_back() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = reserved.getsockname()
        with Proxy(address) as proxy:
            with pytest.raises(ConnectionResetError), connect(proxy) as connection:
                connection.recv(1)
            reserved.listen()
            with connect(proxy) as connection:
                connection.sendall(b"back?")
                far, _ = reserved.accept()
                with far:
                    assert received(far, 5) == b"back?"


def test_it_ends_while_connections_are_open(echo: Address) -> None:
    with Proxy(echo) as proxy:
        connection = connect(proxy)
        assert said_back(connection, b"hello") == b"hello"
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(echo: Address) -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="in use"), Proxy(echo, listen=echo):
        pass
    assert threading.active_count() == before
