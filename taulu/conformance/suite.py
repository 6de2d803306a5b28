"""All groups of checks as one class."""

from __future__ import annotations

from taulu.conformance.clock_promises import ClockPromises
from taulu.conformance.counter_promises import CounterPromises
from taulu.conformance.durability_promises import DurabilityPromises
from taulu.conformance.expiry_promises import ExpiryPromises
from taulu.conformance.log_promises import LogPromises
from taulu.conformance.model_promises import ModelPromises
from taulu.conformance.race_promises import RacePromises
from taulu.conformance.refusal_promises import RefusalPromises
from taulu.conformance.row_promises import RowPromises
from taulu.conformance.token_promises import TokenPromises
from taulu.conformance.unit_promises import UnitPromises
from taulu.conformance.wide_promises import WidePromises


class ConformanceSuite(
    RowPromises,
    UnitPromises,
    TokenPromises,
    ExpiryPromises,
    WidePromises,
    CounterPromises,
    LogPromises,
    RacePromises,
    DurabilityPromises,
    ClockPromises,
    RefusalPromises,
    ModelPromises,
):
    """Every promise that an adapter can keep or break.

    ```python
    class TestMine(ConformanceSuite):
        @pytest.fixture
        def harness(self, tmp_path):
            return Harness(start=..., capabilities=MyAdapter.capabilities)
    ```
    """
