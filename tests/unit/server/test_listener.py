from __future__ import annotations

import socket

import pytest

from taulu.model import ConfigError
from taulu.server.listener import reserve_port


def test_port_0_picks_a_free_one_that_workers_can_share():
    with reserve_port("127.0.0.1", 0) as port:
        assert port > 0
        workers = [socket.socket() for _ in range(2)]
        for worker in workers:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", port))
            worker.listen()
            worker.close()


@pytest.mark.parametrize("option", [socket.SO_REUSEADDR, socket.SO_REUSEPORT])
def test_an_address_on_which_someone_listens_is_refused(option: int):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"),
            reserve_port("127.0.0.1", port),
        ):
            pass


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigError, match="cannot listen on"), reserve_port("192.0.2.1", 0):
        pass
