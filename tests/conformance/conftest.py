"""Notes what each run of the suite found out about a backend, for the capability matrix."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

from taulu.conformance import ConformanceSuite, Harness
from taulu.conformance.subject import Subject
from taulu.model import Kind
from taulu.spi import Feature

_NEEDS = pytest.StashKey[set[str]]()


@pytest.fixture(autouse=True)
def needs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Note what a test of the suite asks its subject to have declared."""
    asked: set[str] = set()
    honest = Subject.need

    def need(self: Subject, kind: Kind, *features: Feature) -> None:
        asked.update({kind.value, *(feature.value for feature in features)})
        honest(self, kind, *features)

    monkeypatch.setattr(Subject, "need", need)
    request.node.stash[_NEEDS] = asked
    return asked


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    harness = getattr(item, "funcargs", {}).get("harness")
    is_suite = item.cls is not None and issubclass(item.cls, ConformanceSuite)
    if is_suite and isinstance(harness, Harness):
        report.user_properties.append(("conformance", _record(item, harness)))
    return report


def _record(item: pytest.Function, harness: Harness) -> dict[str, object]:
    name = item.cls.__name__.removeprefix("Test")
    words = re.findall(r"[A-Z][a-z0-9]*", name.removesuffix("Gateway"))
    if hasattr(item, "callspec"):
        words.append(item.callspec.id)
    has = harness.capabilities
    return {
        "adapter": item.path.stem.removeprefix("test_"),
        "way": " ".join(words),
        "path": "gateway" if name.endswith("Gateway") else "direct",
        "test": item.originalname,
        "needs": sorted(item.stash[_NEEDS]),
        "kinds": sorted(kind.value for kind in has.kinds),
        "features": sorted(feature.value for feature in has.features),
        "read_levels": [level.name for level in sorted(has.read_levels)],
        "write_levels": [level.name for level in sorted(has.write_levels)],
    }
