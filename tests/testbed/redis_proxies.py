"""Proxies between the adapter and Redis servers, which tell it their own addresses."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import taulu_redis.node
from taulu_redis._driver import Connection
from taulu_redis.settings import Address, RedisSettings
from tests.testbed.proxy import Proxy
from tests.testbed.redis_servers import HOST, RedisServer


@contextmanager
def behind_proxies(servers: Sequence[RedisServer]) -> Generator[dict[int, Proxy]]:
    """Lead every connection of the adapter to these servers through proxies, by their ports.

    Sentinels and nodes of a cluster name the servers' own addresses, so the way is bent where the
    adapter connects. What the servers say to each other goes straight.
    """
    with ExitStack() as stack:
        proxies = {
            server.port: stack.enter_context(Proxy((HOST, server.port))) for server in servers
        }

        class Bent(Connection):
            def __init__(
                self, address: Address, settings: RedisSettings, *, is_sentinel: bool = False
            ) -> None:
                proxy = proxies.get(address.port)
                if proxy is not None:
                    address = Address(proxy.host, proxy.port)
                super().__init__(address, settings, is_sentinel=is_sentinel)

        stack.enter_context(patch.object(taulu_redis.node, "Connection", Bent))
        yield proxies
