from __future__ import annotations

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu_memory import MemoryAdapter
from tests.conformance.adapters import direct, through_gateway


class TestMemory(ConformanceSuite):
    @pytest.fixture
    def harness(self) -> Harness:
        return direct(MemoryAdapter, {}, is_durable=False)


class TestMemoryGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self) -> Harness:
        capabilities = MemoryAdapter.capabilities
        return through_gateway("memory", {}, capabilities=capabilities, is_durable=False)
