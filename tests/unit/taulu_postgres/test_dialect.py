"""The statements in which the two databases differ, as they are sent.

CockroachDB's were never run here: they are held to its reference by eye, and to this by test.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from taulu.model import (
    Bound,
    ClusteringRange,
    Contention,
    Failed,
    Key,
    TokenReused,
    WriteOutcomeUnknown,
    Written,
)
from taulu_postgres import counter_statements, row_statements
from taulu_postgres.definitions import create_table
from taulu_postgres.dialect import COCKROACH, POSTGRES, dialect_of
from taulu_postgres.transaction import Transactions, _Story
from tests.unit.taulu_postgres.parts import NAMES, TABLES, stored

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_FOLLOWER = "AS OF SYSTEM TIME follower_read_timestamp()"


def test_the_server_says_which_it_is() -> None:
    assert dialect_of("PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64") is POSTGRES
    assert dialect_of("CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024)") is COCKROACH


def test_writes_begin_at_the_level_that_their_proof_needs() -> None:
    assert POSTGRES.begin_write == "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    assert COCKROACH.begin_write == "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"


def test_cockroach_is_told_nothing_that_it_does_not_know() -> None:
    assert COCKROACH.session == (
        (
            "SET TimeZone = 'UTC'",
            "SET search_path = ''",
            "SET idle_in_transaction_session_timeout = 10000",
        ),
    )
    assert COCKROACH.lock_schema(1) == ()
    assert POSTGRES.lock_schema(1) == ("SELECT pg_advisory_xact_lock(1)",)


def test_postgres_walks_the_declared_order_by_a_unique_index() -> None:
    assert create_table(TABLES["orders"], NAMES, POSTGRES) == [
        'CREATE SCHEMA IF NOT EXISTS "conformance"',
        (
            'CREATE TABLE IF NOT EXISTS "conformance"."orders" ("owner" text COLLATE "C" NOT NULL, '
            '"day" bigint NOT NULL, "name" text COLLATE "C" NOT NULL, "count" bigint, "text" text, '
            "_version bigint NOT NULL, _expire timestamptz, _slot smallint NOT NULL, "
            'CONSTRAINT "orders$scan" PRIMARY KEY (_slot, "owner", "day", "name"))'
        ),
        (
            'CREATE UNIQUE INDEX IF NOT EXISTS "orders$key" ON "conformance"."orders" '
            '("owner", "day" DESC, "name")'
        ),
        (
            'CREATE INDEX IF NOT EXISTS "orders$expire" ON "conformance"."orders" (_expire) '
            "WHERE _expire IS NOT NULL"
        ),
    ]


def test_cockroach_stores_rows_in_the_declared_order() -> None:
    assert create_table(TABLES["orders"], NAMES, COCKROACH) == [
        'CREATE SCHEMA IF NOT EXISTS "conformance"',
        (
            'CREATE TABLE IF NOT EXISTS "conformance"."orders" ("owner" text NOT NULL, '
            '"day" bigint NOT NULL, "name" text NOT NULL, "count" bigint, "text" text, '
            "_version bigint NOT NULL, _expire timestamptz, _slot smallint NOT NULL, "
            'CONSTRAINT "orders$key" PRIMARY KEY ("owner", "day" DESC, "name"))'
        ),
        (
            'CREATE INDEX IF NOT EXISTS "orders$scan" ON "conformance"."orders" '
            '(_slot, "owner", "day", "name")'
        ),
        (
            'CREATE INDEX IF NOT EXISTS "orders$expire" ON "conformance"."orders" (_expire) '
            "WHERE _expire IS NOT NULL"
        ),
    ]


@pytest.mark.parametrize(
    ("staleness_us", "clause"),
    [(None, _FOLLOWER), (5_000_000, _FOLLOWER), (4_999_999, ""), (0, "")],
)
def test_only_reads_that_may_be_stale_go_to_followers(
    staleness_us: int | None, clause: str
) -> None:
    assert COCKROACH.stale_read(staleness_us) == clause
    assert POSTGRES.stale_read(staleness_us) == ""


def test_a_stale_read_says_so_once_and_behind_all_tables() -> None:
    orders = stored("orders", COCKROACH)
    key = Key(("a",), (1, "b"))
    assert row_statements.get(orders, [key], ("count",), _FOLLOWER).text == (
        'SELECT k._place, t._version, t._expire, t."count" FROM '
        "unnest($1::text[], $2::bigint[], $3::text[]) WITH ORDINALITY "
        'AS k("owner", "day", "name", _place) JOIN "conformance"."orders" AS t ON '
        't."owner" = k."owner" AND t."day" = k."day" AND t."name" = k."name" ' + _FOLLOWER
    )
    page = ("count",), 10, _NOW
    whole = row_statements.query(orders, ("a",), (ClusteringRange(), False), page, _FOLLOWER)
    assert whole.text == (
        f'SELECT _version, _expire, "day", "name", "count" FROM "conformance"."orders" {_FOLLOWER} '
        'WHERE "owner" = $1::text AND (_expire IS NULL OR _expire > $2::timestamptz) '
        'ORDER BY "day" DESC, "name" LIMIT $3::bigint'
    )
    span = ClusteringRange(Bound((1, "b"), exclusive=True))
    parts = row_statements.query(orders, ("a",), (span, True), page, _FOLLOWER)
    assert parts.text.count(_FOLLOWER) == 1
    assert parts.text.endswith(
        f') AS boxes {_FOLLOWER} ORDER BY "day", "name" DESC LIMIT $3::bigint'
    )
    counted = counter_statements.get(stored("credits", COCKROACH), [Key(("a",))], _NOW, _FOLLOWER)
    assert counted.text.endswith(f"AS held ON true {_FOLLOWER}")


def test_a_box_is_a_stretch_of_the_index_in_its_direction() -> None:
    span = ClusteringRange(Bound((5, "b"), exclusive=True), Bound((3,)))
    call = row_statements.query(stored("orders"), ("a",), (span, False), ((), 10, _NOW))
    assert 'AND "day" = $4::bigint AND "name" > $5::text AND' in call.text
    assert 'AND "day" < $6::bigint AND "day" >= $7::bigint AND' in call.text
    assert call.values == ("a", _NOW, 10, 5, "b", 5, 3)


def test_a_failure_after_an_uncertain_commit_is_unknown_where_locks_do_not_fence() -> None:
    written, reused = Written(1), Failed(TokenReused("x"))
    outcomes: list[Written | Failed] = [written, Failed(Contention("x")), reused]
    for dialect in (POSTGRES, COCKROACH):
        runs = Transactions(None, dialect, None, "db")  # type: ignore[arg-type]
        assert runs._told(outcomes, _Story()) == outcomes
        told = runs._told(outcomes, _Story(is_uncertain=True))
        assert (told[0], told[2]) == (written, reused)
        is_unknown = isinstance(told[1], Failed) and isinstance(told[1].error, WriteOutcomeUnknown)
        assert is_unknown == dialect.is_cockroach
