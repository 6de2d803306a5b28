from __future__ import annotations

from dataclasses import replace

import pytest

from taulu.model import WHOLE_PARTITION as _WHOLE
from taulu.model import Column, ColumnType, Corrupt, InvalidPageToken, Key, Table, TypeName
from taulu_postgres.description import describe, merged, parse_description
from taulu_postgres.names import Names, quote
from taulu_postgres.places import (
    query_position,
    rest_of_query,
    rest_of_scan,
    scan_position,
)
from taulu_postgres.slots import SLOTS, segment_slots, slot_of
from tests.unit.taulu_postgres.parts import TABLES, stored

ORDERS = TABLES["orders"]


def test_names_are_quoted() -> None:
    assert quote('a"b') == '"a""b"'
    assert Names("taulu", "x_").table(ORDERS, "$heads") == '"x_conformance"."orders$heads"'


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (replace(ORDERS, namespace="taulu"), "the schema 'taulu'"),
        (replace(ORDERS, namespace="public"), "the schema 'public'"),
        (replace(ORDERS, namespace="pg_x"), "the schema 'pg_x'"),
        (replace(ORDERS, name="x" * 60), "longer than PostgreSQL's 63 bytes"),
        (
            replace(ORDERS, columns=(Column("\u00e9" * 40, ColumnType(TypeName.BOOL)),)),
            "longer than PostgreSQL's 63 bytes",
        ),
        (
            replace(ORDERS, columns=(Column("_version", ColumnType(TypeName.BOOL)),)),
            "begins with an underscore",
        ),
    ],
)
def test_names_that_the_database_cannot_keep_are_refused(table: Table, why: str) -> None:
    (reason,) = Names("taulu").refusals(table)
    assert why in reason


def test_every_name_that_a_table_file_allows_fits() -> None:
    longest = "n" * 48
    columns = (Column("c" * 48, ColumnType(TypeName.BOOL)),)
    table = replace(ORDERS, namespace=longest, name=longest, columns=columns)
    assert Names("taulu", "p" * 12).refusals(table) == []


def test_slots_stay_what_they_are() -> None:
    assert [slot_of(data) for data in (b"", b"a", b"customer-1\x00\x01")] == SLOTS_PINNED


SLOTS_PINNED = [3658, 1039, 2057]


def test_segments_hold_every_slot_once() -> None:
    for count in (1, 3, 8, SLOTS, SLOTS + 7):
        spans = [segment_slots(segment, count) for segment in range(count)]
        held = [slot for first, last in spans for slot in range(first, last + 1)]
        assert held == list(range(SLOTS)), count


def test_positions_come_back_and_damaged_ones_are_refused() -> None:
    orders = stored("orders")
    key = Key(("a",), (1, "b\x00"))
    whole = (0, SLOTS - 1)
    at = scan_position(orders, key)
    assert rest_of_scan(orders, whole, at) == (orders.slot(("a",)), key)
    bound = rest_of_query(orders, ("a",), query_position(orders, key), _WHOLE)
    assert bound is not None
    assert (bound.prefix, bound.exclusive) == (key.clustering, True)
    for damaged in (at[:-1], at + b"x", b"\x01" + at[1:], b"\x02", at[:5]):
        with pytest.raises(InvalidPageToken):
            rest_of_scan(orders, whole, damaged)
    with pytest.raises(InvalidPageToken):
        rest_of_scan(orders, (0, orders.slot(("a",)) - 1), at)


def test_descriptions_keep_columns_that_are_gone() -> None:
    before = describe(ORDERS)
    fewer = merged(ORDERS, before, describe(replace(ORDERS, columns=())))
    assert fewer == before
    assert before["column count"] == "int64"
    assert before["clustering key"] == "day int64 desc, name string asc"
    with pytest.raises(Corrupt):
        parse_description("[", ORDERS)
