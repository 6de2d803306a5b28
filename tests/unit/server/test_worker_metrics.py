from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from taulu.gateway import GatewayOptions, StorageTarget, open_gateway
from taulu.model import ConfigError
from taulu.server.worker_metrics import MetricsOptions, cache_samples, open_metrics
from taulu.spi import Environment
from taulu.telemetry import Requests
from tests.unit.policy.parts import ORDERS

OPTIONS = GatewayOptions({"memory": StorageTarget("memory", {})})
PLAIN = replace(ORDERS, storage="memory")


async def test_a_worker_that_caches_nothing_has_no_series_of_caches() -> None:
    async with open_gateway([PLAIN], OPTIONS, Environment()) as gateway:
        assert list(cache_samples(gateway)) == []


async def test_a_port_that_cannot_be_bound_is_told_with_its_setting() -> None:
    async with open_gateway([PLAIN], OPTIONS, Environment()) as gateway:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = other.getsockname()[1]
            options = MetricsOptions("127.0.0.1", (0, taken))
            with pytest.raises(ConfigError, match=f"127.0.0.1:{taken}.*`metrics`"):
                async with open_metrics(options, 1, gateway, Requests()):
                    pass
