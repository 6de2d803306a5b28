"""Table files and settings: YAML in, checked and frozen descriptions out."""

from taulu.schema.problems import Problem, SchemaInvalid
from taulu.schema.quantities import parse_duration, parse_size
from taulu.schema.settings import MetricsSettings, Settings, StorageSettings, load_settings
from taulu.schema.tables import check_tables, load_tables

__all__ = [
    "MetricsSettings",
    "Problem",
    "SchemaInvalid",
    "Settings",
    "StorageSettings",
    "check_tables",
    "load_settings",
    "load_tables",
    "parse_duration",
    "parse_size",
]
