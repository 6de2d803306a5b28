from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from taulu.gateway import GatewayOptions, StorageTarget, lifecycle, open_gateway, start
from taulu.model import (
    ConfigError,
    Contention,
    GetRows,
    InvalidArgument,
    Key,
    Kind,
    Level,
    Table,
    Unavailable,
    UnknownTable,
)
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding
from tests.unit.policy.parts import CREDITS, EVENTS, FACTS, ORDERS, DrivenClock, answer

LEVELS = frozenset(Level)


class Probe(Adapter):
    """Keeps what happens to it; it stands for any adapter, so the lifecycle alone is tested."""

    name = "probe"
    capabilities = Capabilities(frozenset(Kind), frozenset(Feature), LEVELS, LEVELS)
    made: ClassVar[list[Probe]] = []
    failures: ClassVar[list[Exception]] = []
    """What comes of the next calls that a start makes."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__()
        self.options = options
        self.events: list[str] = []
        Probe.made.append(self)

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> Probe:
        return cls(options)

    async def open(self) -> None:
        self.events.append("open")
        if self.failures:
            raise self.failures.pop(0)

    async def close(self) -> None:
        self.events.append("close")

    async def _prepare(self, table: Table) -> None:
        self.events.append(table.full_name)
        if self.failures:
            raise self.failures.pop(0)

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        return []

    async def _dispatch(self, operation: Any, table: Table, context: Any) -> Any:
        return answer(operation)


class NoCounters(Probe):
    name = "no_counters"
    capabilities = replace(Probe.capabilities, kinds=frozenset({Kind.WIDE}))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch):
    found = {"probe": Probe, "no_counters": NoCounters}
    monkeypatch.setattr(lifecycle, "load_adapter", found.__getitem__)
    monkeypatch.setattr(Probe, "made", [])
    monkeypatch.setattr(Probe, "failures", [])
    monkeypatch.setattr(start, "_REST_S", 0.0)


OPTIONS = GatewayOptions(
    {"embedded": StorageTarget("probe", {"path": "x"}), "other": StorageTarget("no_counters")}
)
TABLES = (ORDERS, CREDITS, EVENTS)


async def test_tables_of_one_target_share_an_adapter_that_is_closed_at_the_end():
    async with open_gateway(TABLES, OPTIONS, Environment()) as gateway:
        assert set(gateway.bindings) == {table.full_name for table in TABLES}
    (adapter,) = Probe.made
    assert adapter.options == {"path": "x"}
    assert adapter.events == ["open", *(table.full_name for table in TABLES), "close"]


async def test_an_operation_meets_its_tables_pipeline_and_adapter():
    environment = Environment()
    context = Context(environment.clock.monotonic() + 5)
    async with open_gateway(TABLES, OPTIONS, environment) as gateway:
        reads = await gateway(GetRows("shop.orders", (Key(("a",), (1,)),)), context)
        assert reads.facts == FACTS
        wrong = await gateway(GetRows("shop.orders", (Key((1,), (1,)),)), context)
        assert isinstance(wrong.outcomes[0].error, InvalidArgument)  # type: ignore[union-attr]


async def test_an_unknown_table_is_told_the_nearest_one():
    async with open_gateway(TABLES, OPTIONS, Environment()) as gateway:
        with pytest.raises(UnknownTable, match=r"did you mean 'shop\.orders'"):
            gateway.binding("shop.order")
        with pytest.raises(UnknownTable, match="taulu tables"):
            gateway.binding("x" * 10_000)


async def test_a_table_on_an_unknown_target_is_refused():
    lost = replace(ORDERS, storage="lost")
    with pytest.raises(ConfigError, match=r"'lost'.*they have: embedded, other"):
        async with open_gateway((lost,), OPTIONS, Environment()):
            pass


async def test_every_table_that_an_adapter_cannot_serve_is_named_with_its_reason():
    tables = [replace(table, storage="other") for table in TABLES]
    with pytest.raises(ConfigError) as refused:
        async with open_gateway(tables, OPTIONS, Environment()):
            pass
    lines = str(refused.value).splitlines()
    assert [line.split()[1] for line in lines] == ["shop.credits", "shop.events"]
    assert all("it serves no" in line for line in lines)
    assert all(adapter.events == [] for adapter in Probe.made)


IMPATIENT = replace(OPTIONS, start_wait_s=0.0)


async def test_an_adapter_that_fails_to_open_is_closed():
    Probe.failures.append(Unavailable("nobody answers"))
    with pytest.raises(Unavailable):
        async with open_gateway(TABLES, IMPATIENT, Environment()):
            pass
    assert Probe.made[0].events == ["open", "close"]


async def test_a_backend_that_comes_late_is_waited_for_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
):
    Probe.failures += [Unavailable("nobody answers"), Unavailable("nobody answers")]
    async with open_gateway(TABLES, OPTIONS, Environment()):
        pass
    assert Probe.made[0].events[:4] == ["open", "open", "open", "shop.orders"]
    (line,) = [record.message for record in caplog.records]
    assert line == "waiting up to 20 s for storage embedded: nobody answers"


async def test_a_table_that_cannot_be_prepared_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    async def opened(self: Probe) -> None:
        Probe.failures += [Contention("others prepare it, too")]

    monkeypatch.setattr(Probe, "open", opened)
    async with open_gateway(TABLES, OPTIONS, Environment()):
        pass
    assert Probe.made[0].events[:3] == ["shop.orders", "shop.orders", "shop.credits"]


async def test_what_no_waiting_mends_ends_a_start_at_once():
    Probe.failures.append(ConfigError("there is no such user"))
    with pytest.raises(ConfigError):
        async with open_gateway(TABLES, OPTIONS, Environment()):
            pass
    assert Probe.made[0].events == ["open", "close"]


async def test_a_backend_that_does_not_come_is_given_up():
    clock = DrivenClock()

    class Later(list[Exception]):
        def pop(self, _: object = 0) -> Exception:
            clock.seconds += 8
            return Unavailable("nobody answers")

        def __bool__(self) -> bool:
            return True

    Probe.failures = Later()
    with pytest.raises(Unavailable):
        async with open_gateway(TABLES, OPTIONS, Environment(clock=clock)):
            pass
    # It fails at 8, 16, 24 and 32 s; 20 s begin with the first.
    assert Probe.made[0].events == ["open", "open", "open", "open", "close"]
