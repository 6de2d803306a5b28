"""The Python client of the Taulu gateway: async first; `taulu_client.sync` has a façade."""

from taulu.model.consistency import Consistency, Facts, Level
from taulu.model.result import Counter, Written
from taulu.model.token import IdempotencyToken
from taulu.model.value import Value
from taulu_client import errors
from taulu_client.cached_table import CachedTable
from taulu_client.client import Client
from taulu_client.counter_table import CounterTable
from taulu_client.items import (
    Appended,
    Delete,
    DeleteRange,
    Hold,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Item,
    LogRecord,
    Page,
    Put,
    Record,
    Unit,
    Update,
    bounded,
    new_token,
)
from taulu_client.log_table import LogTable
from taulu_client.options import ClientOptions, RetryOptions
from taulu_client.table import Span, Table
from taulu_client.table_info import CacheInfo, ColumnInfo, TableInfo

__all__ = [
    "Appended",
    "CacheInfo",
    "CachedTable",
    "Client",
    "ClientOptions",
    "ColumnInfo",
    "Consistency",
    "Counter",
    "CounterTable",
    "Delete",
    "DeleteRange",
    "Facts",
    "Hold",
    "IdempotencyToken",
    "IfAbsent",
    "IfColumns",
    "IfPresent",
    "IfVersion",
    "Item",
    "Level",
    "LogRecord",
    "LogTable",
    "Page",
    "Put",
    "Record",
    "RetryOptions",
    "Span",
    "Table",
    "TableInfo",
    "Unit",
    "Update",
    "Value",
    "Written",
    "bounded",
    "errors",
    "new_token",
]
