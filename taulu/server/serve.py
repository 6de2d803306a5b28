"""From settings to a running server."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager

from taulu.cache import CacheOptions
from taulu.gateway import GatewayOptions, StorageTarget
from taulu.model.table import Table
from taulu.schema import MetricsSettings, Settings, load_tables
from taulu.server.grpcio_transport import TransportOptions
from taulu.server.listener import reserve_port
from taulu.server.run_folder import run_folder
from taulu.server.supervisor import Supervisor
from taulu.server.worker import WorkerOptions
from taulu.server.worker_metrics import SETTING, MetricsOptions

_MICROSECONDS = 1_000_000


def run_server(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code.

    Args:
        settings: Checked settings.
        announce: Told one line, with tables and address, once every worker serves.

    Raises:
        ConfigError: A table, an adapter's options or the address are wrong; the message says
            which.
        TauluError: What else kept a worker from starting. In any case none is left running.
    """
    tables = load_tables(settings.tables)
    with (
        reserve_port(settings.host, settings.port) as port,
        _reserve_metrics_ports(settings.metrics, settings.workers) as metrics,
        run_folder() as folder,
    ):
        address = f"{settings.listen.rpartition(':')[0]}:{port}"
        options = worker_options(settings, tables, address, metrics, folder)

        def ready() -> None:
            announce(
                f"taulu is serving {_count(len(tables), 'table')} on {address} "
                f"({_count(settings.workers, 'worker')})"
            )

        return Supervisor(options, settings.workers).run(ready)


@contextmanager
def _reserve_metrics_ports(
    settings: MetricsSettings | None, workers: int
) -> Generator[MetricsOptions | None]:
    """Hold a port for each worker, so that one which replaces another finds it free.

    Raises:
        ConfigError: One of them is taken.
    """
    if settings is None:
        yield None
        return
    with ExitStack() as stack:
        # Port 0 is a free one for each.
        wanted = [settings.port and settings.port + number for number in range(workers)]
        ports = tuple(
            stack.enter_context(reserve_port(settings.host, port, SETTING)) for port in wanted
        )
        yield MetricsOptions(settings.host, ports)


def worker_options(
    settings: Settings,
    tables: Sequence[Table],
    address: str,
    metrics: MetricsOptions | None,
    folder: str,
) -> WorkerOptions:
    """Return what each worker of a server needs to know."""
    return WorkerOptions(
        tables=tuple(tables),
        gateway=gateway_options(settings),
        transport=TransportOptions(
            address=address,
            request_bytes_max=settings.limits.request_bytes,
            deadline_default_s=settings.deadline.default / _MICROSECONDS,
            deadline_max_s=settings.deadline.max / _MICROSECONDS,
        ),
        server_id=uuid.uuid4().hex,
        workers=settings.workers,
        run_folder=folder,
        token_window_s=settings.token_window / _MICROSECONDS,
        drain_s=settings.drain / _MICROSECONDS,
        log_level=settings.log.level,
        log_json=settings.log.format == "json",
        metrics=metrics,
    )


def gateway_options(settings: Settings) -> GatewayOptions:
    """Return what the settings say of storage, limits and caches."""
    return GatewayOptions(
        storage={
            name: StorageTarget(target.adapter, target.options)
            for name, target in settings.storage.items()
        },
        calls_max=settings.limits.concurrent_calls,
        start_wait_s=settings.start_wait / _MICROSECONDS,
        cache=CacheOptions(
            near_bytes=settings.cache.near_bytes,
            shared=settings.cache.shared,
            loads_max=settings.cache.loads,
            load_timeout_s=settings.cache.load_timeout / _MICROSECONDS,
            lease_s=settings.cache.lease / _MICROSECONDS,
            clock_skew_s=settings.cache.clock_skew / _MICROSECONDS,
            forget_s=settings.cache.forget / _MICROSECONDS,
        ),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
