from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from taulu.model import Level
from taulu.spi import Environment, Feature
from taulu_cassandra import CassandraAdapter
from taulu_cassandra._driver import Native
from taulu_cassandra.options import levels_of, options_of
from tests.unit.taulu_cassandra.parts import SERIAL, table

ADAPTER = CassandraAdapter.create(
    {"contact_points": ["127.0.0.1"], "local_dc": "dc1", "replication": {"dc1": 1}},
    Environment(),
)


@pytest.mark.parametrize(
    ("name", "changes", "quorum", "eventual", "linearizable", "write"),
    [
        ("items", {}, "LOCAL_QUORUM", "LOCAL_ONE", "SERIAL", "LOCAL_QUORUM"),
        ("items", {"write_level": SERIAL}, "QUORUM", "LOCAL_ONE", "SERIAL", "QUORUM"),
        (
            "items",
            {"write_level": SERIAL, "options": {"serial": "LOCAL_SERIAL"}},
            *("LOCAL_QUORUM", "LOCAL_ONE", "LOCAL_SERIAL", "LOCAL_QUORUM"),
        ),
        ("credits", {}, "QUORUM", "LOCAL_ONE", "SERIAL", "QUORUM"),
        (
            "items",
            {"options": {"read": "ALL", "write": "EACH_QUORUM"}},
            *("ALL", "ALL", "SERIAL", "EACH_QUORUM"),
        ),
    ],
)
def test_each_level_is_one_of_cassandras(
    name: str, changes: dict[str, Any], quorum: str, eventual: str, linearizable: str, write: str
) -> None:
    described = table(name, **changes)
    levels = levels_of(described, options_of(described))
    for level in (Level.BOUNDED_STALENESS, Level.SESSION, Level.QUORUM):
        assert levels.of_read(level) is Native[quorum]
    assert levels.of_read(Level.EVENTUAL) is Native[eventual]
    assert levels.of_read(Level.LINEARIZABLE) is Native[linearizable]
    assert levels.write is Native[write]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"options": {"compation": {}}}, "compation"),
        ({"options": {"read": "MOST"}}, "MOST"),
        ({"options": {"read": "ONE"}}, "weaker than its levels promise"),
        ({"options": {"write": "LOCAL_ONE"}}, "weaker than its levels promise"),
        ({"options": {"write": "SERIAL"}}, "weaker than its levels promise"),
        (
            {"write_level": SERIAL, "options": {"write": "LOCAL_QUORUM"}},
            "weaker than its levels promise",
        ),
        ({"options": {"serial": "LOCAL_SERIAL"}}, "LINEARIZABLE"),
        ({"write_level": SERIAL, "options": {"serial": "QUORUM"}}, "not SERIAL"),
        ({"write_level": SERIAL, "options": {"partial_updates": True}}, "LINEARIZABLE"),
        ({"ttl_us": 1_000_000, "options": {"partial_updates": True}}, "rows expire"),
        ({"options": {"gc_grace_seconds": -1}}, "gc_grace_seconds"),
        ({"name": "n" * 49}, "longer than 48"),
        ({"name": "n" * 41, "write_level": SERIAL}, "longer than 40"),
        ({"name": "items__tokens"}, "the adapter's own"),
        ({"read_level": SERIAL}, "cannot read at LINEARIZABLE"),
        ({"write_level": Level.EVENTUAL}, "cannot read at QUORUM"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(changes: dict[str, Any], said: str) -> None:
    refusals = ADAPTER.refusals(table("items", **changes))
    assert any(said in reason for reason in refusals), refusals


@pytest.mark.parametrize(
    "changes",
    [
        {"options": {"read": "ALL", "write": "EACH_QUORUM", "gc_grace_seconds": 3600}},
        {"write_level": SERIAL, "read_level": SERIAL, "options": {"serial": "LOCAL_SERIAL"}},
        {"read_level": Level.EVENTUAL, "write_level": Level.EVENTUAL, "options": {"read": "ALL"}},
        {"ttl_us": 1_000_000},
    ],
)
def test_what_can_be_kept_is_not_refused(changes: dict[str, Any]) -> None:
    assert ADAPTER.refusals(table("items", **changes)) == []


@pytest.mark.parametrize(
    ("changes", "has", "lacks"),
    [
        ({"write_level": SERIAL}, {Feature.CONDITIONS, Feature.ROW_TTL}, {Feature.TRANSACTIONS}),
        ({}, {Feature.PARTIAL_UPDATE}, {Feature.ROW_TTL, Feature.CONDITIONS}),
        ({"ttl_us": 60_000_000}, {Feature.ROW_TTL}, {Feature.PARTIAL_UPDATE}),
        ({"options": {"partial_updates": False}}, {Feature.ROW_TTL}, {Feature.PARTIAL_UPDATE}),
    ],
)
def test_the_way_of_writing_decides_what_a_table_can_do(
    changes: Mapping[str, Any], has: set[Feature], lacks: set[Feature]
) -> None:
    features = ADAPTER.capabilities_of(table("items", **changes)).features
    assert has <= features
    assert not lacks & features
