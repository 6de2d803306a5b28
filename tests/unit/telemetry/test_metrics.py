from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from taulu.cache.stats import CacheStats
from taulu.model.errors import ERRORS_BY_CODE
from taulu.telemetry.metrics import CACHE_COUNTS, METRICS

DOCS = Path(__file__).parents[3] / "docs"


def test_names_follow_prometheus_conventions() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"taulu(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        # Base units only, at the end.
        assert not re.search(r"_(us|ms|seconds_.*|bytes_.*)$", metric.name)
        assert "worker" not in metric.labels


def test_every_count_of_a_cache_is_exported_with_its_meaning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    import generate  # noqa: PLC0415 - it stands outside of every package

    told = generate.cache_counts()
    assert list(told) == [field.name for field in fields(CacheStats)]
    assert {name: metric.says for name, metric in CACHE_COUNTS.items()} == {
        name: text for name, text in told.items() if name != "staleness_us_max"
    }


def test_what_pages_and_rules_name_is_there() -> None:
    series = {
        metric.name + ending
        for metric in METRICS
        for ending in (("", "_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",))
    }
    text = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert set(re.findall(r"\btaulu_(?:cache|request)_\w+", text)) - series == set()
    (rule,) = re.findall(r'{code=~"([A-Z_|]+)"}', text)
    assert set(rule.split("|")) - set(ERRORS_BY_CODE) == set()
