"""What the settings of a storage target may say about the embedded adapter."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taulu.spi import check_options, wrong_option

ADAPTER_NAME = "embedded"

_FILE_BYTES_MIN = 256 * 1024


class Durability(Enum):
    """What an acknowledged write survives."""

    FULL = "full"
    """Loss of power: every group commit is synced to the disk."""
    NORMAL = "normal"
    """The death of the process, kill -9 included; loss of power may undo the last writes."""


class EmbeddedSettings(BaseModel):
    """Options of one storage target, checked once when the adapter is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    """The database file; made, with its folder, when it is not there."""
    durability: Durability = Durability.FULL
    readers: int = Field(default=2, ge=1, le=64)
    """How many reads run at once, each on a thread and a connection of its own."""
    read_queue_max: int = Field(default=1_024, ge=1)
    """How many reads may wait or run; one more is refused as `Overloaded`."""
    write_batch_max: int = Field(default=512, ge=1)
    """About how many units, changes and records share one commit."""
    write_queue_max: int = Field(default=1_024, ge=1)
    """How many write operations may wait; one more is refused as `Overloaded`."""
    file_bytes_max: int | None = Field(default=None, ge=_FILE_BYTES_MIN)
    """How large the database file may grow; past it writes fail with `StorageFull`."""
    purge_interval_s: float = Field(default=10.0, gt=0)
    """How long to rest between two rounds of removing what has expired, in seconds."""


def parse_settings(options: Mapping[str, object]) -> EmbeddedSettings:
    """Check options.

    Raises:
        ConfigError: An option is unknown, missing or wrong; the message names it.
    """
    check_options(ADAPTER_NAME, options, frozenset(EmbeddedSettings.model_fields))
    try:
        return EmbeddedSettings.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        raise wrong_option(ADAPTER_NAME, first["loc"], first["msg"]) from error
