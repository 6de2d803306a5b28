from __future__ import annotations

from pathlib import Path

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu_embedded import EmbeddedAdapter
from tests.conformance.adapters import direct, through_gateway


class TestEmbedded(ConformanceSuite):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        options = {"path": str(tmp_path / "taulu.db"), "durability": "normal"}
        return direct(EmbeddedAdapter, options, is_durable=True)


class TestEmbeddedGateway(ConformanceSuite):
    """The same suite once more, through client, wire, server and pipeline."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        options = {"path": str(tmp_path / "taulu.db"), "durability": "normal"}
        return through_gateway("embedded", options, capabilities=EmbeddedAdapter.capabilities)
