"""New connections: reached, told apart, and set up so that no acknowledged write is weak."""

from __future__ import annotations

from collections.abc import Mapping

from taulu.model import ConfigError
from taulu_postgres._driver import Call, Connection, DriverError, connect, parse_dsn
from taulu_postgres.dialect import COCKROACH, POSTGRES, Dialect, dialect_of
from taulu_postgres.settings import ADAPTER_NAME, DialectName, PostgresSettings

VERSION = Call("SELECT version()")
_KEPT_ALIVE: Mapping[str, str | int] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""A server that is gone without a word costs no call a minute later: the system's own defaults
would keep its connections for two hours. A dsn may say otherwise."""


class Server:
    """Where the connections of one target go. Learns its dialect from the first one."""

    def __init__(self, settings: PostgresSettings, replica: str = "") -> None:
        self._options = _options(settings, replica)
        self.dialect: Dialect | None = {
            # Only PostgreSQL has standbys.
            DialectName.AUTO: POSTGRES if replica else None,
            DialectName.POSTGRES: POSTGRES,
            DialectName.COCKROACH: COCKROACH,
        }[settings.dialect]

    @property
    def place(self) -> str:
        """What errors call the database. It holds no secret."""
        parts = self._options
        host = parts.get("host", "localhost")
        return f"database {parts.get('dbname', '')!r} at {host}:{parts.get('port', 5432)}"

    async def connect(self, timeout_s: float) -> Connection:
        """Open a connection that is ready for statements.

        Raises:
            DriverError: It cannot be had.
            TimeoutError: It cannot be had in time.
        """
        connection = await connect(self._options, timeout_s)
        try:
            if self.dialect is None:
                (((version,),),) = await connection.ask([VERSION], timeout_s)
                self.dialect = dialect_of(version)
            for part in self.dialect.session:
                await connection.ask([Call(text) for text in part], timeout_s)
        except BaseException:
            await connection.close()
            raise
        return connection


def _options(settings: PostgresSettings, replica: str) -> Mapping[str, str | int]:
    host, _, port = replica.partition(":")
    own: dict[str, str | int] = {"host": host} if host else {"target_session_attrs": "read-write"}
    if port:
        own["port"] = int(port)
    return {**_KEPT_ALIVE, **_given(settings), **own}


def _given(settings: PostgresSettings) -> Mapping[str, str | int]:
    if settings.dsn is None:
        return settings.connection_options()
    try:
        parts = parse_dsn(settings.dsn.get_secret_value())
    except DriverError:
        # The driver's message would show what it could not parse, and that may be the password.
        raise ConfigError(
            f"option 'dsn' of adapter {ADAPTER_NAME!r} is no connection string of PostgreSQL; "
            "write it as postgresql://user@host:port/database, or use host, port, database …",
            details={"adapter": ADAPTER_NAME, "option": "dsn"},
        ) from None
    return {**parts, **settings.connection_options()}
