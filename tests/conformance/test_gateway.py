"""The same suite once more, through client, wire, server and pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu_embedded import EmbeddedAdapter
from tests.conformance.adapters import through_gateway


class TestGateway(ConformanceSuite):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        options = {"path": str(tmp_path / "taulu.db"), "durability": "normal"}
        return through_gateway("embedded", options, capabilities=EmbeddedAdapter.capabilities)
