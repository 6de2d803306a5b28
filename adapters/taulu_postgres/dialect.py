"""Everything in which CockroachDB differs from PostgreSQL, as far as this adapter is concerned.

PostgreSQL runs writes at READ COMMITTED behind row locks that the adapter takes first
(docs/adr/0030); CockroachDB runs them at its own SERIALIZABLE, takes the same locks to spare
retries, and still restarts with 40001. Only PostgreSQL's statements were run against a server;
those of CockroachDB follow its reference and are pinned by unit tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taulu_postgres.settings import DialectName

_FOLLOWER_LAG_US = 5_000_000
"""`follower_read_timestamp()` lies about 4.2 s back; told as 5 s, so that no reply is fresher
than what it says."""


@dataclass(frozen=True, slots=True)
class KeyIndexes:
    """What a new table needs so that partitions are read in declared order, and scans by slot."""

    constraint: str
    """Inside CREATE TABLE."""
    statements: tuple[str, ...]
    """After it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two databases."""

    name: DialectName

    @property
    def is_cockroach(self) -> bool:
        """Whether it is CockroachDB."""
        return self.name is DialectName.COCKROACH

    @property
    def begin_write(self) -> str:
        """Begin a transaction that reads, decides and writes."""
        level = "SERIALIZABLE" if self.is_cockroach else "READ COMMITTED"
        return f"BEGIN ISOLATION LEVEL {level} READ WRITE"

    @property
    def ordered_text(self) -> str:
        """The type of a text column whose order is that of its UTF-8 bytes."""
        return "text" if self.is_cockroach else 'text COLLATE "C"'

    @property
    def has_transactional_ddl(self) -> bool:
        """Whether tables may be made and described in one transaction."""
        return not self.is_cockroach

    @property
    def fences_by_locks(self) -> bool:
        """Whether a row lock taken later waits for whatever an earlier, lost transaction does.

        PostgreSQL's does: the lost transaction holds the lock until it has ended. A transaction
        of CockroachDB whose writes have not arrived yet holds nothing, and may still commit.
        """
        return not self.is_cockroach

    @property
    def session(self) -> tuple[tuple[str, ...], ...]:
        """What every new session is told, each part in a round trip and transaction of its own."""
        shared = (
            "SET TimeZone = 'UTC'",
            "SET search_path = ''",
            "SET idle_in_transaction_session_timeout = 10000",
        )
        if self.is_cockroach:
            return (shared,)
        # Before the first SELECT, which a standby refuses at SERIALIZABLE.
        isolation = ("SET default_transaction_isolation = 'read committed'",)
        rest = (
            "SET default_transaction_read_only = off",
            # How values are spelled, as the driver reads them.
            "SET DateStyle = 'ISO'",
            "SET bytea_output = 'hex'",
            "SET extra_float_digits = 1",
            "SET jit = off",
            # Weaker than `on` loses acknowledged writes; what is stronger stays. It is set in
            # any case: a reload of the server's files changes what a session has not set itself.
            (
                "SELECT set_config('synchronous_commit', CASE "
                "WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on' "
                "ELSE current_setting('synchronous_commit') END, false)"
            ),
        )
        return isolation, (*shared, *rest)

    def lock_schema(self, key: int) -> tuple[str, ...]:
        """Let gateways that start together prepare one after another, within a transaction."""
        return () if self.is_cockroach else (f"SELECT pg_advisory_xact_lock({key})",)

    def stale_read(self, staleness_us_max: int | None) -> str:
        """Return the clause of a read that may be this stale; empty reads at the leaseholder.

        None is any staleness, as EVENTUAL allows.
        """
        if not self.is_cockroach:
            return ""
        if staleness_us_max is not None and staleness_us_max < _FOLLOWER_LAG_US:
            return ""
        return "AS OF SYSTEM TIME follower_read_timestamp()"

    @property
    def stale_read_lag_us(self) -> int:
        """How far back a read with `stale_read` may lie."""
        return _FOLLOWER_LAG_US

    def key_indexes(
        self, table: str, names: tuple[str, str], keys: Sequence[str], ordered: Sequence[str]
    ) -> KeyIndexes:
        """Return how rows are found: by key in declared order, and by slot for scans.

        PostgreSQL has no primary key with descending columns, so there the key in declared
        order is a unique index and the primary key serves the scans. CockroachDB stores rows
        in the order of the primary key, so there it is the key in declared order.

        Args:
            table: The table's quoted, qualified name.
            names: Quoted names for the index of the key and for that of the scan.
            keys: Quoted names of the key columns.
            ordered: The same with `DESC` where they descend.
        """
        by_slot = f"(_slot, {', '.join(keys)})"
        by_key = f"({', '.join(ordered)})"
        key_name, scan_name = names
        if self.is_cockroach:
            return KeyIndexes(
                f"CONSTRAINT {key_name} PRIMARY KEY {by_key}",
                (f"CREATE INDEX IF NOT EXISTS {scan_name} ON {table} {by_slot}",),
            )
        return KeyIndexes(
            f"CONSTRAINT {scan_name} PRIMARY KEY {by_slot}",
            (f"CREATE UNIQUE INDEX IF NOT EXISTS {key_name} ON {table} {by_key}",),
        )


POSTGRES = Dialect(DialectName.POSTGRES)
COCKROACH = Dialect(DialectName.COCKROACH)


def dialect_of(version: str) -> Dialect:
    """Return the dialect of a server by what `SELECT version()` says."""
    return COCKROACH if version.startswith("CockroachDB") else POSTGRES
