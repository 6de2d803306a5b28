"""What the settings of a storage target may say about the Redis adapter."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from taulu.spi import check_options, wrong_option

ADAPTER_NAME = "redis"

_PORT_MAX = 65_535


class Mode(Enum):
    """How the servers stand together."""

    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Durability(Enum):
    """What an acknowledged write survives on the server that took it."""

    ALWAYS = "always"
    """Kill and loss of power: `appendonly yes`, `appendfsync always`."""
    EVERYSEC = "everysec"
    """Most ends; the last second or two may be lost."""
    NONE = "none"
    """Nothing is promised."""


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Spell it as settings do."""
        return f"{self.host}:{self.port}"


class RedisSettings(BaseModel):
    """Options of one storage target, checked once when the adapter is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: tuple[str, ...] = Field(min_length=1)
    """`host:port` of the server, of the sentinels, or of some nodes of the cluster."""
    mode: Mode = Mode.STANDALONE
    service: str | None = None
    """The name under which the sentinels know the primary."""
    durability: Durability = Durability.ALWAYS
    """What the servers are set to; it is checked against them on every connection."""
    quorum_replicas: int | None = Field(default=None, ge=0, le=16)
    """How many replicas must have a QUORUM write: all of a primary's, if any may take over. None
    offers EVENTUAL only, except on a standalone server."""
    allow_eviction: bool = False
    """Whether the servers may drop data when memory is short; nothing stored is safe then."""
    username: str | None = None
    password: SecretStr | None = None
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None
    db: int = Field(default=0, ge=0)
    tls: bool = False
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    connections_max: int = Field(default=32, ge=1, le=4_096)
    """Connections to each server, each of them used by one batch at a time."""
    waiting_max: int = Field(default=1_024, ge=1)
    """How many batches may wait for a connection; one more is refused as `Overloaded`."""
    connect_timeout_s: float = Field(default=2.0, gt=0)
    discovery_timeout_s: float = Field(default=0.5, gt=0)
    """How long sentinels, or nodes of a cluster, may take to say who is primary, in seconds."""
    replication_timeout_s: float = Field(default=1.0, gt=0)
    """How long the replicas may take to confirm, in seconds; the fate is unknown afterwards."""
    reclaim_margin_s: float = Field(default=60.0, ge=0)
    """How long after its expiry Redis itself may drop a row, in seconds: more than the clocks
    of gateways differ by."""
    cache_timeout_s: float = Field(default=0.25, gt=0)
    """How long a call of the shared cache tier may take; past it, readers ask the store."""
    news_timeout_s: float = Field(default=1.0, gt=0)
    """How long gateways that listen for news may hear nothing before they know that the way is
    lost, and how long a message may take, in seconds."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the first contact is made."""
        return tuple(parse_address(node) for node in self.nodes)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for node in self.nodes:
            parse_address(node)
        if (self.mode is Mode.SENTINEL) != (self.service is not None):
            raise ValueError("`service` is needed in mode sentinel, and only there")
        if self.mode is Mode.STANDALONE and len(self.nodes) > 1:
            raise ValueError("mode standalone has one node; name sentinel or cluster for more")
        if self.mode is Mode.STANDALONE and self.quorum_replicas is not None:
            raise ValueError("`quorum_replicas` is for sentinel and cluster, which can fail over")
        if self.mode is Mode.CLUSTER and self.db:
            raise ValueError("a cluster has no `db` but 0")
        return self


def parse_address(text: str) -> Address:
    """Return the address that `host:port` names.

    Raises:
        ValueError: It is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) <= _PORT_MAX):
        raise ValueError(f"{text!r} is no address; write host:port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def parse_settings(options: Mapping[str, object]) -> RedisSettings:
    """Check options.

    Raises:
        ConfigError: An option is unknown, missing or wrong; the message names it, and never
            holds a secret.
    """
    check_options(ADAPTER_NAME, options, frozenset(RedisSettings.model_fields))
    try:
        return RedisSettings.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise wrong_option(ADAPTER_NAME, first["loc"], first["msg"], unnamed="nodes") from None
