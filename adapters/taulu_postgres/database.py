"""One target as its adapter sees it: reads and writes that keep to deadlines and come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from taulu.model import Clock, ConfigError, DeadlineExceeded, Table, TauluError, Unavailable
from taulu_postgres._driver import Call, DriverError, SqlRow
from taulu_postgres.dialect import Dialect
from taulu_postgres.mapping import AT_START, SEND_AGAIN, is_conflict, is_lost, to_taulu
from taulu_postgres.names import Names
from taulu_postgres.pool import Pool, PoolLimits
from taulu_postgres.preparing import Preparation
from taulu_postgres.server import Server
from taulu_postgres.settings import ADAPTER_NAME, PostgresSettings
from taulu_postgres.stored import StoredTable
from taulu_postgres.transaction import Transactions

_log = logging.getLogger(__name__)

_TRIES_MAX = 3
"""How often a read is sent when connections are lost."""
_REST_S = 0.02
_PREPARE_S_MAX = 30.0
_PREPARES_MAX = 10

ENCODING = "UTF8"
"""What a database must be encoded in to hold every string, in the order of its bytes."""
_SETTINGS = Call("SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'server_encoding')")


class Database:
    """An open target: its pool, and what runs on it."""

    def __init__(self, settings: PostgresSettings, names: Names, clock: Clock) -> None:
        self._server = Server(settings)
        self._names = names
        self._clock = clock
        limits = PoolLimits(
            settings.connections_max, settings.waiting_max, settings.connect_timeout_s
        )
        self.place = self._server.place
        self.pool = Pool(self.place, self._server.connect, limits, clock)
        self._connect_s_max = settings.connect_timeout_s
        standbys = [Server(settings, address) for address in settings.replicas]
        self.standbys = [Pool(s.place, s.connect, limits, clock) for s in standbys]
        """Standbys that serve weak reads, in the order of the settings."""

    @property
    def dialect(self) -> Dialect:
        """Which database it is; known once it was opened."""
        if self._server.dialect is None:
            raise Unavailable(f"{self.place} is not open; open the adapter first")
        return self._server.dialect

    @property
    def transactions(self) -> Transactions:
        """What runs batches of writes."""
        return Transactions(self.pool, self.dialect, self._clock, self.place)

    async def open(self) -> None:
        """Connect once, and learn what is there.

        Raises:
            Unavailable: It cannot be reached.
            ConfigError: It lets the user not in, or cannot hold every string.
        """
        deadline = self._clock.monotonic() + self._connect_s_max
        (rows,) = await self.read([_SETTINGS], deadline, AT_START)
        found: dict[str, str] = dict(rows)
        encoding = found.get("server_encoding", ENCODING)
        if encoding != ENCODING:
            raise ConfigError(
                f"{self.place} is encoded in {encoding}, which has neither all characters nor "
                f"their order; create one with ENCODING '{ENCODING}'",
                details={"database": self.place},
            )
        if self.standbys and self.dialect.is_cockroach:
            raise ConfigError(
                f"option 'replicas' of adapter {ADAPTER_NAME!r} is for PostgreSQL, but "
                f"{self.place} is CockroachDB, which reads from followers by itself; leave it out",
                details={"adapter": ADAPTER_NAME, "option": "replicas"},
            )
        if found.get("fsync") == "off":
            # The whole database may be gone with the machine; doctor says so, too.
            _log.warning("%s runs with fsync off: acknowledged writes may be lost", self.place)

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        for pool in (self.pool, *self.standbys):
            await pool.close()

    async def read(
        self, calls: Sequence[Call], deadline: float, advice: str = SEND_AGAIN
    ) -> list[list[SqlRow]]:
        """Send statements that change nothing; send them again when a connection is lost.

        Raises:
            DeadlineExceeded: There was no answer in time.
            TauluError: They were refused, or there is no connection to be had.
        """
        for turn in range(_TRIES_MAX):
            try:
                async with self.pool.connection(deadline) as connection:
                    return await connection.ask(calls, self.pool.left_s(deadline))
            except TimeoutError as error:
                raise self.too_late(advice) from error
            except DriverError as error:
                is_last = turn == _TRIES_MAX - 1
                if is_last or not (is_lost(error) or is_conflict(error)):
                    raise to_taulu(error, self.place, advice) from error
            await asyncio.sleep(_REST_S * (turn + 1))
        raise self.too_late(advice)

    async def prepare(self, table: Table, window_us: int) -> StoredTable:
        """Make a table or check it; try again when other gateways do the same.

        Raises:
            SchemaConflict: What is stored does not fit.
        """
        deadline = self._clock.monotonic() + _PREPARE_S_MAX
        last: TauluError = ConfigError(f"{self.place} could not prepare {table.full_name}")
        for turn in range(_PREPARES_MAX):
            try:
                async with self.pool.connection(deadline) as connection:
                    left_s = self.pool.left_s(deadline)
                    work = Preparation(connection, self._names, self.dialect, left_s)
                    return await work.prepare(table, window_us)
            except TimeoutError as error:
                raise self.too_late(AT_START) from error
            except DriverError as error:
                last = to_taulu(error, self.place, AT_START)
                if not (is_lost(error) or is_conflict(error)):
                    raise last from error
            await asyncio.sleep(_REST_S * (turn + 1))
        raise last

    def too_late(self, advice: str = SEND_AGAIN) -> DeadlineExceeded:
        """Return the refusal of what found no answer in time and changed nothing."""
        if advice == SEND_AGAIN:
            advice = "; allow more time, or ask for less at once"
        return DeadlineExceeded(
            f"{self.place} did not answer before the deadline, and nothing was changed{advice}",
            details={"database": self.place},
        )
