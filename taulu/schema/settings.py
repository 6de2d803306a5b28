"""The gateway's settings: one YAML file, and the environment over it.

Every field can be set by a variable: `TAULU_` and its name in capitals, with `__` between the
names of nested fields, for instance `TAULU_LISTEN` or `TAULU_LIMITS__CONCURRENT_CALLS`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from taulu.model.errors import ConfigError
from taulu.schema.problems import Problem, SchemaInvalid
from taulu.schema.source import Document, Where, read_documents
from taulu.schema.table_file import Duration, Size
from taulu.schema.validation import problems_of

ENVIRONMENT_PREFIX = "TAULU_"
WORKERS_MAX = 256
PORT_MAX = 65_535
DATA_PATH = "taulu-data/taulu.db"


class StorageSettings(BaseModel):
    """One storage target: an adapter, and options that the adapter checks itself."""

    model_config = ConfigDict(extra="allow", frozen=True)

    adapter: str = Field(description="The adapter, as it is registered.")

    @property
    def options(self) -> dict[str, object]:
        """All that stands beside `adapter`."""
        return dict(self.model_extra or {})


class LimitSettings(BaseModel):
    """What one worker accepts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_bytes: Size = Field(default=4 * 1024 * 1024, description="Bytes of one request.")
    concurrent_calls: int = Field(
        default=512, ge=1, le=1_000_000, description="Calls that one worker carries out at once."
    )


class DeadlineSettings(BaseModel):
    """How long a call may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: Duration = Field(default=5_000_000, description="Of calls that name none.")
    max: Duration = Field(default=60_000_000, description="Of calls that name a longer one.")


class CacheSettings(BaseModel):
    """How tables are cached whose YAML has a `cache` block."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near_bytes: Size = Field(
        default=64 * 1024 * 1024, description="Bytes of one worker's near cache, over all tables."
    )
    shared: str = Field(
        default="", description="The storage target that is the shared tier; none by default."
    )
    loads: int = Field(
        default=64, ge=1, le=100_000, description="Reads of stores for caches at once, per worker."
    )
    load_timeout: Duration = Field(
        default=5_000_000, description="How long one such read may take."
    )
    lease: Duration = Field(
        default=3_000_000, description="How long one gateway alone may load an entry."
    )
    clock_skew: Duration = Field(
        default=500_000, description="How far the clocks of two gateways may lie apart."
    )
    forget: Duration = Field(
        default=600_000_000,
        description="How long a silent gateway is waited for; cut off for half, it refuses writes.",
    )


class MetricsSettings(BaseModel):
    """Where the workers of a server are scraped, each on a port of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(
        default=9464,
        ge=0,
        le=PORT_MAX,
        description="The port of worker 0; worker 1 has the next, and so on. 0 takes free ones, "
        "which the log names.",
    )


class LogSettings(BaseModel):
    """What the gateway writes to standard error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is written."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="For people, or one JSON object per line."
    )


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Settings(BaseSettings):
    """All settings of one server."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        # Defaults are what the fields hold, not what people write.
        validate_default=False,
    )

    listen: str = Field(
        default="127.0.0.1:7600", description="`host:port`; port 0 takes a free one."
    )
    workers: int = Field(
        default=1, ge=1, le=WORKERS_MAX, description="Worker processes that share the port."
    )
    tables: Annotated[list[Path], BeforeValidator(_one_or_more)] = Field(
        default=[Path("tables")],
        description="Files and folders of table YAML, relative to the settings file.",
    )
    storage: dict[str, StorageSettings] = Field(
        default_factory=dict[str, StorageSettings],
        description="Storage targets by name; `embedded` is there without being named.",
    )
    limits: LimitSettings = Field(default=LimitSettings(), description="What one worker accepts.")
    deadline: DeadlineSettings = Field(
        default=DeadlineSettings(), description="How long a call may take."
    )
    token_window: Duration = Field(
        default=86_400_000_000, description="How long idempotency tokens are remembered."
    )
    start_wait: Duration = Field(
        default=20_000_000,
        description="How long a start waits for each backend and table that cannot be had yet.",
    )
    drain: Duration = Field(
        default=20_000_000, description="How long open calls may finish after SIGTERM."
    )
    cache: CacheSettings = Field(
        default=CacheSettings(), description="How tables are cached that ask for it."
    )
    log: LogSettings = Field(default=LogSettings(), description="What is logged, and how.")
    metrics: MetricsSettings | None = Field(
        default=None,
        description="Where Prometheus scrapes each worker; nowhere unless this block is there.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let what is given win over the environment, and read nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > PORT_MAX:
            raise ValueError(f"{value!r} is no address; write one like '127.0.0.1:7600'")
        return value

    @field_validator("metrics")
    @classmethod
    def _check_ports(
        cls, value: MetricsSettings | None, info: ValidationInfo
    ) -> MetricsSettings | None:
        # It is missing when it is wrong itself, which is told anyway.
        workers = int(info.data.get("workers", 1))
        if value is not None and value.port and value.port + workers - 1 > PORT_MAX:
            raise ValueError(
                f"{workers} workers need as many ports from {value.port} on, but {PORT_MAX} is "
                "the last; choose a lower `port`"
            )
        return value

    @property
    def host(self) -> str:
        """The host to listen on, without the brackets of IPv6."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])


def load_settings(path: Path | None, overrides: dict[str, Any] | None = None) -> Settings:
    """Return the settings of a file, with the environment over it.

    Args:
        path: The settings file; None takes defaults, relative to the working directory.
        overrides: Values over all others, for instance from the command line.

    Raises:
        SchemaInvalid: Something is wrong; the message has every problem with its place.
        ConfigError: A variable of the environment is wrong.
    """
    document = Document("(defaults)", {}) if path is None else _document(path)
    values = document.value
    if not isinstance(values, dict):
        raise SchemaInvalid([Problem(document.file, 1, 1, "settings are a mapping of names")])
    try:
        settings = _over_file(cast("dict[str, Any]", values))(**(overrides or {}))
    except ValidationError as error:
        raise _refusal(document, error, overrides or {}) from error
    except ValueError as error:
        # A variable that should hold JSON and does not; its value may be a secret.
        raise ConfigError(_no_json(str(error))) from None
    return _resolved(settings, Path() if path is None else path.parent)


def _over_file(values: dict[str, Any]) -> type[Settings]:
    """Return the settings with one more source below all others: what a file says."""

    class OverFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *sources: PydanticBaseSettingsSource,
            **named: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            above = super().settings_customise_sources(settings_cls, *sources, **named)
            return *above, InitSettingsSource(settings_cls, values)

    return OverFile


def _refusal(
    document: Document, error: ValidationError, overrides: Mapping[str, object]
) -> ConfigError:
    """Return what is wrong, where it was written: in what was given, the environment, the file."""
    problems = problems_of(document, Settings, error)
    told: list[str] = []
    for details, problem in zip(error.errors(), problems, strict=True):
        where = details["loc"]
        variable = _variable(where)
        if where[:1] and where[0] in overrides:
            told.append(f"the {where[0]!r} that was given is wrong: {problem.message}")
        elif variable:
            told.append(f"the environment variable {variable} is wrong: {problem.message}")
    return ConfigError("\n".join(told)) if told else SchemaInvalid(problems)


def _no_json(trouble: str) -> str:
    """Say which variable holds no JSON, where pydantic names its field."""
    field = re.search(r'field "(\w+)"', trouble)
    if field is None:
        return f"the environment is wrong: {trouble}; mend the variable"
    name = ENVIRONMENT_PREFIX + field[1].upper()
    return (
        f"the environment variable {name} is wrong: a list or a mapping is written as JSON there, "
        """like '["a", "b"]' or '{"a": 1}'"""
    )


def _variable(where: Where) -> str:
    """Return the variable that set a field, or a field around it; empty when none did."""
    words = [str(word) for word in where]
    for length in range(len(words), 0, -1):
        name = ENVIRONMENT_PREFIX + "__".join(words[:length]).upper()
        if name in os.environ:
            return name
    return ""


def _document(path: Path) -> Document:
    documents = read_documents(path)
    if len(documents) > 1:
        raise SchemaInvalid([Problem(str(path), 1, 1, "holds more than one YAML document")])
    return documents[0] if documents else Document(str(path), {})


def _resolved(settings: Settings, folder: Path) -> Settings:
    """Make paths relative to the settings file, and add the target that is always there."""
    storage = {"embedded": StorageSettings(adapter="embedded"), **settings.storage}
    resolved: dict[str, StorageSettings] = {}
    for name, target in storage.items():
        options = target.options
        if target.adapter == "embedded":
            options.setdefault("path", DATA_PATH)
        if isinstance(options.get("path"), str):
            options["path"] = str(folder / str(options["path"]))
        resolved[name] = StorageSettings.model_validate({"adapter": target.adapter, **options})
    tables = [folder / table for table in settings.tables]
    return settings.model_copy(update={"storage": resolved, "tables": tables})
