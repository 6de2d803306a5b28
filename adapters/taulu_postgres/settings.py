"""What the settings of a storage target may say about the PostgreSQL adapter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from taulu.spi import check_options, wrong_option

ADAPTER_NAME = "postgres"

_ADDRESS = re.compile(r"[^\s:/,]+(:\d{1,5})?")


class DialectName(Enum):
    """Which database speaks the protocol."""

    AUTO = "auto"
    """Found out from `SELECT version()`."""
    POSTGRES = "postgres"
    COCKROACH = "cockroach"


class PostgresSettings(BaseModel):
    """Options of one storage target, checked once when the adapter is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dsn: SecretStr | None = None
    """A libpq connection string or URI; the options below complete it and win over it."""
    host: str | None = None
    """One host, or several with commas: the first that takes writes is used."""
    port: int | None = Field(default=None, ge=1, le=65535)
    database: str | None = None
    user: str | None = None
    password: SecretStr | None = None
    sslmode: str | None = Field(
        default=None, pattern="^(disable|allow|prefer|require|verify-ca|verify-full)$"
    )
    sslrootcert: str | None = None
    dialect: DialectName = DialectName.AUTO
    schema_name: str = Field(default="taulu", alias="schema", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    """The schema of Taulu's own bookkeeping. Tables stand in a schema named for their namespace."""
    schema_prefix: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,11})?$")
    """Stands before the namespace in the names of those schemas."""
    replicas: tuple[str, ...] = ()
    """Standbys, each `host` or `host:port`, that serve EVENTUAL and BOUNDED_STALENESS reads. All
    else is as for the primary. CockroachDB needs none: it has follower reads."""
    connections_max: int = Field(default=10, ge=1, le=1_000)
    """How many connections one gateway process holds at most, to each server."""
    waiting_max: int = Field(default=1_024, ge=1)
    """How many calls may wait for a connection; one more is refused as `Overloaded`."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    purge_interval_s: float = Field(default=10.0, gt=0)
    """How long to rest between two rounds of removing what has expired, in seconds."""
    log_poll_interval_s: float = Field(default=0.05, gt=0)
    """How often waiting log reads look for what other processes appended, in seconds."""

    @field_validator("replicas")
    @classmethod
    def _are_addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [address for address in given if not _ADDRESS.fullmatch(address)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not `host` or `host:port`")
        return given

    @model_validator(mode="after")
    def _has_an_address(self) -> PostgresSettings:
        if self.dsn is None and self.host is None:
            raise ValueError("give `dsn`, or `host`")
        return self

    def connection_options(self) -> dict[str, str | int]:
        """Return what the driver is told besides the dsn. The password is among it."""
        options: dict[str, str | int | None] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password.get_secret_value() if self.password else None,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "application_name": "taulu",
            # What the role, the database or the environment says is not what strings need.
            "client_encoding": "UTF8",
            "connect_timeout": max(2, round(self.connect_timeout_s)),
        }
        return {name: value for name, value in options.items() if value is not None}


_ALIASES = {"schema_name": "schema"}


def parse_settings(options: Mapping[str, object]) -> PostgresSettings:
    """Check options.

    Raises:
        ConfigError: An option is unknown, missing or wrong; the message names it.
    """
    known = frozenset(_ALIASES.get(name, name) for name in PostgresSettings.model_fields)
    check_options(ADAPTER_NAME, options, known)
    try:
        return PostgresSettings.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        # Pydantic's own text would show what was given, and that may be a password.
        raise wrong_option(ADAPTER_NAME, first["loc"], first["msg"], unnamed="host") from None
