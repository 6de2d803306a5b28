"""Batches are counted while they are still messages.

Turning a message into plain values costs far more than carrying it: a request of 4 MiB can
hold two million empty items, which would keep a worker from all else for a minute. So a batch
is held to its table's limits before any of its items is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from taulu.gateway import Gateway
from taulu.policy.batch_limits import check_count
from taulu.v1 import data_pb2 as pb


def check_keys(gateway: Gateway, table: str, keys: Collection[object]) -> None:
    """Hold the keys of a read to the table's `batch_keys`.

    Raises:
        UnknownTable: No such table is served.
        LimitExceeded: There are too many; nothing was done.
    """
    check_count(gateway.binding(table).table, "batch_keys", len(keys))


def check_records(gateway: Gateway, table: str, records: Collection[object]) -> None:
    """Hold the records of an append to the table's `batch_units`; it raises as `check_keys`."""
    check_count(gateway.binding(table).table, "batch_units", len(records))


def check_units(
    gateway: Gateway, table: str, units: Collection[pb.WriteUnit | pb.WriteRequest]
) -> None:
    """Hold the units of a write, and what each of them holds, to the table's limits.

    It raises as `check_keys` does.
    """
    described = gateway.binding(table).table
    check_count(described, "batch_units", len(units))
    for size in _sizes(units):
        check_count(described, "unit_mutations", size)


def _sizes(units: Iterable[pb.WriteUnit | pb.WriteRequest]) -> Iterable[int]:
    return (len(unit.mutations) + len(unit.conditions) for unit in units)
