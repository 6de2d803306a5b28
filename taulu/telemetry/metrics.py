"""The metrics of a worker: what each is called, what it counts, and the labels of its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

DURATION_BOUNDS_S = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 60.0),
)
"""From a hit of the near cache to the longest deadline."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: a series for each combination of its labels' values."""

    name: str
    """As it is scraped; a histogram's series have `_bucket`, `_sum` and `_count` after it."""
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()


class Distribution(NamedTuple):
    """The values of a histogram."""

    counts: tuple[int, ...]
    """How many were at most each of `DURATION_BOUNDS_S` and above the one before; at last, how
    many were above all."""
    total: float


class Sample(NamedTuple):
    """What one series holds at the moment."""

    metric: Metric
    value: float | Distribution
    labels: tuple[str, ...] = ()
    """The values of the metric's labels, in their order."""


REQUEST_DURATION = Metric(
    "taulu_request_duration_seconds",
    "histogram",
    "How long requests took in the worker; a stream, from its opening to its end. `code` is OK, "
    "that of an error, or CANCELLED where the caller went away or did not wait any longer.",
    ("method", "code"),
)


def _count(name: str, says: str) -> Metric:
    return Metric(f"taulu_cache_{name}_total", "counter", says, ("table",))


CACHE_COUNTS: Mapping[str, Metric] = {
    name: _count(name, says)
    for name, says in (
        ("near_hits", "Entries served from the near cache."),
        ("shared_hits", "Entries that the shared tier had, fresh enough."),
        ("joins", "Readers who waited for a load that another had begun."),
        ("loads", "Entries read from the store."),
        ("refreshes", "Loads of entries that were still good, ahead of time."),
        ("passes", "Entries that no cache may serve: by level, by columns or by query."),
        ("negatives", "Hits of the near cache on what is absent."),
        ("stale", "Entries served though the store could not be read, where the table allows it."),
        ("fenced", "Loads that a write overtook, so that they filled nothing."),
        ("drops", "Places dropped for writes through this worker."),
        ("tier_errors", "Calls of the shared tier that failed."),
        ("checked", "Entries that `verify-cache` has compared with the store."),
        ("beyond", "Entries that `verify-cache` found staler than the table's bound."),
    )
}
"""By the name of the count, as `GetCacheStats` has it."""

CACHE_STALENESS_MAX = Metric(
    "taulu_cache_staleness_max_seconds",
    "gauge",
    "The most by which an entry that `verify-cache` compared lagged behind the store.",
    ("table",),
)
CACHE_VOUCHED = Metric(
    "taulu_cache_vouched",
    "gauge",
    "1 while entries are served past the bound because all news have come, else 0.",
    ("table",),
)
CHANNEL_VOUCHES = Metric(
    "taulu_cache_channel_vouches",
    "gauge",
    "1 while all news of the other members have come, else 0. The channel `local` is between the "
    "workers of a server, `shared` between gateways.",
    ("channel",),
)
CHANNEL_GAPS = Metric(
    "taulu_cache_channel_gaps_total",
    "counter",
    "How often something was missed on a channel.",
    ("channel",),
)
NEAR_BYTES = Metric(
    "taulu_cache_near_bytes", "gauge", "Bytes in the worker's near cache, over all tables."
)
NEAR_BYTES_MAX = Metric(
    "taulu_cache_near_max_bytes", "gauge", "How many bytes the worker's near cache may hold."
)
NEAR_PLACES = Metric(
    "taulu_cache_near_places", "gauge", "Partitions in the worker's near cache, over all tables."
)
WATCHERS = Metric(
    "taulu_cache_watchers", "gauge", "Clients that keep rows and are told of writes by the worker."
)

METRICS = (
    REQUEST_DURATION,
    *CACHE_COUNTS.values(),
    CACHE_STALENESS_MAX,
    CACHE_VOUCHED,
    CHANNEL_VOUCHES,
    CHANNEL_GAPS,
    NEAR_BYTES,
    NEAR_BYTES_MAX,
    NEAR_PLACES,
    WATCHERS,
)
"""All of Taulu's own, in the order in which they are written."""
