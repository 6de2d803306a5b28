"""The producer, and the one thread that hears what became of what it sent."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from taulu_kafka._driver import Config, DriverError, Fetched, Producer

_log = logging.getLogger(__name__)

_POLL_S = 0.1
_RETIRED_S_MAX = 2.0

Settled: TypeAlias = Callable[[DriverError | None, int], None]
"""Told on the event loop what became of a record: an error, or None and its offset."""


@dataclass(frozen=True, slots=True)
class _Report:
    """What became of one record."""

    producer: Producer
    settled: Settled
    error: DriverError | None
    offset: int


class Sender:
    """Sends records in the order in which they are given."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._producer = Producer(config)
        self._reports: list[_Report] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taulu-kafka-sender", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def send(self, message: Fetched, settled: Settled) -> None:
        """Queue a record, on the event loop.

        Raises:
            DriverError: It was not taken, and nothing will be sent.
        """
        producer = self._producer

        def report(error: DriverError | None, offset: int) -> None:
            self._reports.append(_Report(producer, settled, error, offset))

        try:
            producer.produce(message, report)
        except DriverError as error:
            if error.is_fatal or error.name == "_FATAL":
                self._renew(producer, error)
            raise

    def stop(self, timeout_s: float) -> None:
        """Wait for what is under way, then give up the rest. Blocks."""
        if self._producer.flush(timeout_s):
            self._producer.purge()
            self._producer.flush(1.0)
        self._stopping.set()
        self._thread.join()
        self._pass_on()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)
            self._pass_on()

    def _pass_on(self) -> None:
        reports, self._reports = self._reports, []
        if reports:
            self._loop.call_soon_threadsafe(self._deliver, reports)

    def _deliver(self, reports: list[_Report]) -> None:
        for report in reports:
            report.settled(report.error, report.offset)
            if report.error is not None and report.error.is_fatal:
                self._renew(report.producer, report.error)

    def _renew(self, failed: Producer, error: DriverError) -> None:
        """Put another producer in the place of one that will never send again."""
        if failed is not self._producer:
            return
        _log.warning("the producer is replaced: %s", error)
        retired, self._producer = self._producer, Producer(self._config)

        def let_go() -> None:
            retired.purge()
            retired.flush(_RETIRED_S_MAX)

        threading.Thread(target=let_go, name="taulu-kafka-retired", daemon=True).start()
