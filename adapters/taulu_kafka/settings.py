"""What the settings of a storage target may say about the Kafka adapter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from taulu.model import ConfigError
from taulu.spi import check_options, wrong_option
from taulu_kafka._driver import Config

ADAPTER_NAME = "kafka"

_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_QUEUE_KIB_MAX = 128 * 1024
_FETCH_BYTES = 256 * 1024


class KafkaSettings(BaseModel):
    """Options of one storage target, checked once when the adapter is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: str = Field(min_length=1)
    """`host:port` of some brokers, with commas between; the others are found by asking them."""
    client_id: str = Field(default="taulu", min_length=1)
    """How the brokers' logs and quotas call this gateway; also the name of its consumer group,
    in which it stores nothing."""
    topic_prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]*$", max_length=64)
    """Stands before the name of every topic that a table does not name itself."""
    tls: bool = False
    tls_ca: Path | None = None
    """Certificates of authorities; the system's by default."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_key_password: SecretStr | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    compression: Literal["none", "gzip", "lz4", "snappy", "zstd"] = "lz4"
    linger_ms: int = Field(default=1, ge=0, le=1_000)
    """How long a record waits for others to share its request."""
    delivery_timeout_s: float = Field(default=10.0, ge=1.0, le=300.0)
    """How long the driver tries to write a record before it gives up."""
    request_timeout_s: float = Field(default=4.0, ge=2.0, le=60.0)
    """How long a broker may leave a request unanswered before its connection is given up."""
    tokens_max: int = Field(default=500_000, ge=1_000)
    """How many idempotency tokens one partition may have within the token window, at about
    150 bytes each; past it appends to the partition are refused as `StorageFull`."""
    readers: int = Field(default=2, ge=1, le=32)
    """How many pages are read at once, each on a thread and a consumer of its own."""
    read_queue_max: int = Field(default=1_024, ge=1)
    """How many reads may wait or run; one more is refused as `Overloaded`."""
    write_queue_max: int = Field(default=10_000, ge=1)
    """How many records may be under way; one more is refused as `Overloaded`."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.sasl_mechanism is None) != (self.username is None):
            raise ValueError("sasl_mechanism and username go together; give both or neither")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; give both or neither")
        if not self.tls and (self.tls_ca or self.tls_certificate or self.tls_key):
            raise ValueError("tls files are given, but `tls` is not true")
        return self

    def client_config(self) -> dict[str, str | int | bool]:
        """Return what every client of the driver is told."""
        request_ms = int(self.request_timeout_s * 1_000)
        protocol = ("SASL_" if self.sasl_mechanism else "") + ("SSL" if self.tls else "PLAINTEXT")
        config: dict[str, str | int | bool | None] = {
            "bootstrap.servers": self.servers,
            "client.id": self.client_id,
            "security.protocol": protocol.lower(),
            "ssl.ca.location": _path(self.tls_ca),
            "ssl.certificate.location": _path(self.tls_certificate),
            "ssl.key.location": _path(self.tls_key),
            "ssl.key.password": _secret(self.tls_key_password),
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.username,
            "sasl.password": _secret(self.password),
            "socket.timeout.ms": request_ms,
            "socket.connection.setup.timeout.ms": request_ms,
            "socket.keepalive.enable": True,
            "socket.nagle.disable": True,
            # A topic that is gone would come back with the cluster's defaults for everything.
            "allow.auto.create.topics": False,
            # A leader that is silent gives no sign of having been replaced, so ask often.
            "topic.metadata.refresh.interval.ms": 2_000,
            "metadata.max.age.ms": 10_000,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1_000,
        }
        return {name: value for name, value in config.items() if value is not None}

    def producer_config(self) -> Config:
        """Return what the producer is told: acknowledged by all in-sync replicas, in order."""
        return {
            **self.client_config(),
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": self.compression,
            "linger.ms": self.linger_ms,
            "delivery.timeout.ms": int(self.delivery_timeout_s * 1_000),
            "request.timeout.ms": int(self.request_timeout_s * 1_000),
            "queue.buffering.max.messages": self.write_queue_max,
            "queue.buffering.max.kbytes": _QUEUE_KIB_MAX,
            "message.max.bytes": _MESSAGE_BYTES_MAX,
            "retry.backoff.ms": 50,
            "retry.backoff.max.ms": 500,
        }

    def consumer_config(self) -> Config:
        """Return what every consumer is told: it begins where it is told, and stores nothing."""
        return {
            **self.client_config(),
            "group.id": self.client_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted",
            "fetch.wait.max.ms": 100,
            "fetch.message.max.bytes": _FETCH_BYTES,
            "fetch.error.backoff.ms": 50,
            "fetch.queue.backoff.ms": 10,
            "queued.max.messages.kbytes": 8 * _FETCH_BYTES // 1_024,
        }

    def reader_config(self) -> Config:
        """Return what the consumers of pages are told besides: fetch no more than is asked for."""
        return {
            **self.consumer_config(),
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 1,
            "queued.min.messages": 1,
        }


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _secret(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def parse_settings(options: Mapping[str, object]) -> KafkaSettings:
    """Check options.

    Raises:
        ConfigError: An option is unknown, missing or wrong; the message names it.
    """
    check_options(ADAPTER_NAME, options, frozenset(KafkaSettings.model_fields))
    try:
        return KafkaSettings.model_validate(dict(options))
    except ValidationError as error:
        # Without the cause, whose text has the values that were given, secrets among them.
        raise settings_error(error) from None


def settings_error(error: ValidationError) -> ConfigError:
    """Return the refusal of the first option that is wrong."""
    first = error.errors(include_input=False, include_url=False)[0]
    return wrong_option(ADAPTER_NAME, first["loc"], first["msg"])
