"""From samples to families of metrics, as Prometheus' library writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from taulu.telemetry.metrics import DURATION_BOUNDS_S, METRICS, Distribution, Metric, Sample

_BUCKETS = (*(str(bound) for bound in DURATION_BOUNDS_S), "+Inf")
_PROCESS: tuple[Collector, ...] = (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR)


class Exposition(Collector):
    """All families of one worker; each series has the label `worker`, the number of it."""

    def __init__(self, read: Callable[[], Sequence[Sample]], worker: int) -> None:
        self._read = read
        self._worker = {"worker": str(worker)}

    def describe(self) -> Iterable[Family]:
        """Return all families without their series; none is read for it."""
        return (*_families(()).values(), *self._process())

    def collect(self) -> Iterator[Family]:
        """Read all, and yield it."""
        families = _families(self._read())
        for family in (*families.values(), *self._process()):
            family.samples = [
                sample._replace(labels={**self._worker, **sample.labels})
                for sample in family.samples
            ]
            yield family

    def _process(self) -> Iterator[Family]:
        """Yield copies of what the library tells of the process: it keeps some of its own."""
        for collector in _PROCESS:
            for kept in collector.collect():
                family = Family(kept.name, kept.documentation, kept.type)
                family.samples = kept.samples
                yield family


def _families(samples: Iterable[Sample]) -> dict[str, Family]:
    # The library's name of a counter is without the ending that its series have.
    families = {
        metric.name: Family(metric.name.removesuffix("_total"), metric.says, metric.kind)
        for metric in METRICS
    }
    for metric, value, labels in samples:
        named = dict(zip(metric.labels, labels, strict=True))
        _add(families[metric.name], metric, named, value)
    return families


def _add(
    family: Family, metric: Metric, labels: dict[str, str], value: float | Distribution
) -> None:
    if not isinstance(value, Distribution):
        family.add_sample(metric.name, labels, value)
        return
    up_to = list(accumulate(value.counts))
    for bound, count in zip(_BUCKETS, up_to, strict=True):
        family.add_sample(f"{metric.name}_bucket", {**labels, "le": bound}, count)
    family.add_sample(f"{metric.name}_count", labels, up_to[-1])
    family.add_sample(f"{metric.name}_sum", labels, value.total)
