from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from taulu.model import ConfigError
from taulu.spi import adapter_names, check_options, load_adapter, registry
from taulu_embedded import EmbeddedAdapter
from taulu_memory import MemoryAdapter


def test_installed_adapters_are_found_by_name() -> None:
    assert {"embedded", "memory"} <= set(adapter_names())
    assert load_adapter("embedded") is EmbeddedAdapter
    assert load_adapter("memory") is MemoryAdapter


def test_an_unknown_adapter_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'embedded'"):
        load_adapter("embeded")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_driver_here:Adapter", r"pip install 'taulu-gateway\[odd\]'"),
        ("json:dumps", "not a subclass of"),
    ],
)
def test_a_broken_registration_says_what_to_do(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("odd", value, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match=message):
        load_adapter("odd")


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    check_options("x", {"path": 1}, frozenset({"path"}))
    with pytest.raises(ConfigError, match="did you mean 'path'"):
        check_options("x", {"pth": 1}, frozenset({"path"}))
