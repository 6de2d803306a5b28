"""What the settings of a storage target may say about the Cassandra adapter."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from taulu.spi import check_options, wrong_option

ADAPTER_NAME = "cassandra"


class CassandraSettings(BaseModel):
    """Options of one storage target, checked once when the adapter is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact_points: tuple[str, ...] = Field(min_length=1)
    """Addresses of some nodes of the local data centre; the others are found through them."""
    port: int = Field(default=9042, ge=1, le=65_535)
    local_dc: str = Field(min_length=1)
    """The data centre of this gateway. Requests go to its nodes alone."""
    replication: dict[str, int] = Field(min_length=1)
    """Copies by data centre, for keyspaces that are made; those that are there are left alone."""
    keyspace_prefix: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,23})?$")
    """Set before the namespace to make the keyspace's name."""
    username: str = ""
    password: SecretStr = SecretStr("")
    address_map: dict[str, str] = Field(default_factory=dict[str, str])
    """Where to reach a node that announces an address of another network."""
    request_timeout_s: float = Field(default=4.0, gt=0)
    """How long one request to one node may take before another is asked."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    heartbeat_s: float = Field(default=3.0, gt=0)
    """How long a connection may be silent before it is tried, and then before it is given up."""
    reconnect_s: float = Field(default=1.0, gt=0)
    """How long to rest before a lost node is tried again."""
    requests_max: int = Field(default=256, ge=1)
    """How many requests are on their way to the cluster at once; more of them wait."""
    operations_max: int = Field(default=1_024, ge=1)
    """How many operations may be under way; one more is refused as `Overloaded`."""
    purge_margin_s: int = Field(default=86_400, ge=0)
    """How long after its expiry Cassandra itself drops a row; for clocks that disagree."""


def parse_settings(options: Mapping[str, object]) -> CassandraSettings:
    """Check options.

    Raises:
        ConfigError: An option is unknown, missing or wrong; the message names it.
    """
    check_options(ADAPTER_NAME, options, frozenset(CassandraSettings.model_fields))
    try:
        return CassandraSettings.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise wrong_option(ADAPTER_NAME, first["loc"], first["msg"]) from None
