from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from taulu.telemetry.exposition import Exposition
from taulu.telemetry.metrics import CACHE_COUNTS, DURATION_BOUNDS_S, METRICS, NEAR_BYTES, Sample
from taulu.telemetry.requests import Requests

GET = "/taulu.v1.DataService/Get"
HITS = CACHE_COUNTS["near_hits"]


def written(*samples: Sample) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return what a scrape of worker 3 reads, by the name of the series."""
    registry = CollectorRegistry()
    registry.register(Exposition(lambda: samples, worker=3))
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_each_series_has_its_labels_and_its_worker() -> None:
    found = written(
        Sample(HITS, 5, ("shop.orders",)), Sample(HITS, 6, ("shop.users",)), Sample(NEAR_BYTES, 7)
    )
    assert found["taulu_cache_near_hits_total"] == [
        ({"worker": "3", "table": "shop.orders"}, 5),
        ({"worker": "3", "table": "shop.users"}, 6),
    ]
    assert found["taulu_cache_near_bytes"] == [({"worker": "3"}, 7)]
    ((labels, size),) = found["process_resident_memory_bytes"]
    assert (labels, size > 0) == ({"worker": "3"}, True)
    assert "taulu_cache_watchers" not in found


def test_a_second_scrape_says_the_same() -> None:
    registry = CollectorRegistry()
    registry.register(Exposition(lambda: (), worker=0))
    names = [[sample.name for f in registry.collect() for sample in f.samples] for _ in range(2)]
    assert names[0] == names[1]


def test_a_duration_counts_in_its_own_bucket_and_all_above() -> None:
    requests = Requests()
    for duration_s in (0.0001, 0.0005, 0.0006, 99.0):
        requests.observe(GET, "OK", duration_s)
    requests.observe(GET, "UNAVAILABLE", 0.3)
    found = written(*requests.samples())
    name = "taulu_request_duration_seconds"
    well = {"worker": "3", "method": GET, "code": "OK"}
    buckets = [value for labels, value in found[f"{name}_bucket"] if labels["code"] == "OK"]
    assert buckets == [2, *[3] * (len(DURATION_BOUNDS_S) - 1), 4]
    assert found[f"{name}_count"] == [(well, 4), ({**well, "code": "UNAVAILABLE"}, 1)]
    assert found[f"{name}_sum"][0] == (well, 0.0001 + 0.0005 + 0.0006 + 99.0)
    bounds = [labels["le"] for labels, _ in found[f"{name}_bucket"] if labels["code"] == "OK"]
    assert [float(bound) for bound in bounds] == [*DURATION_BOUNDS_S, float("inf")]


def test_what_is_described_is_what_is_collected() -> None:
    exposition = Exposition(lambda: (), worker=0)
    described = [family.name for family in exposition.describe()]
    assert described == [family.name for family in exposition.collect()]
    assert {metric.name.removesuffix("_total") for metric in METRICS} < set(described)
