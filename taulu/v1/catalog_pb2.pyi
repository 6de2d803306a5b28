import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from taulu.v1 import consistency_pb2 as _consistency_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TableKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TABLE_KIND_UNSPECIFIED: _ClassVar[TableKind]
    TABLE_KIND_KV: _ClassVar[TableKind]
    TABLE_KIND_WIDE: _ClassVar[TableKind]
    TABLE_KIND_COUNTER: _ClassVar[TableKind]
    TABLE_KIND_LOG: _ClassVar[TableKind]

class ColumnRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLUMN_ROLE_UNSPECIFIED: _ClassVar[ColumnRole]
    COLUMN_ROLE_PARTITION_KEY: _ClassVar[ColumnRole]
    COLUMN_ROLE_CLUSTERING_ASCENDING: _ClassVar[ColumnRole]
    COLUMN_ROLE_CLUSTERING_DESCENDING: _ClassVar[ColumnRole]
    COLUMN_ROLE_DATA: _ClassVar[ColumnRole]
TABLE_KIND_UNSPECIFIED: TableKind
TABLE_KIND_KV: TableKind
TABLE_KIND_WIDE: TableKind
TABLE_KIND_COUNTER: TableKind
TABLE_KIND_LOG: TableKind
COLUMN_ROLE_UNSPECIFIED: ColumnRole
COLUMN_ROLE_PARTITION_KEY: ColumnRole
COLUMN_ROLE_CLUSTERING_ASCENDING: ColumnRole
COLUMN_ROLE_CLUSTERING_DESCENDING: ColumnRole
COLUMN_ROLE_DATA: ColumnRole

class Table(_message.Message):
    __slots__ = ("name", "kind", "owner", "doc", "columns", "adapter", "capabilities", "read_consistency", "write_consistency", "ttl", "limits", "partition_count", "cache", "max_staleness")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    READ_CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    WRITE_CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PARTITION_COUNT_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    MAX_STALENESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: TableKind
    owner: str
    doc: str
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    adapter: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    read_consistency: _consistency_pb2.ConsistencyLevel
    write_consistency: _consistency_pb2.ConsistencyLevel
    ttl: _duration_pb2.Duration
    limits: TableLimits
    partition_count: int
    cache: CacheInfo
    max_staleness: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[TableKind, str]] = ..., owner: _Optional[str] = ..., doc: _Optional[str] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., adapter: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., read_consistency: _Optional[_Union[_consistency_pb2.ConsistencyLevel, str]] = ..., write_consistency: _Optional[_Union[_consistency_pb2.ConsistencyLevel, str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limits: _Optional[_Union[TableLimits, _Mapping]] = ..., partition_count: _Optional[int] = ..., cache: _Optional[_Union[CacheInfo, _Mapping]] = ..., max_staleness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CacheInfo(_message.Message):
    __slots__ = ("tiers", "ttl", "negative_ttl", "staleness", "columns", "queries", "write_through", "serve_stale_on_error", "clock_skew")
    TIERS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_TTL_FIELD_NUMBER: _ClassVar[int]
    STALENESS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    WRITE_THROUGH_FIELD_NUMBER: _ClassVar[int]
    SERVE_STALE_ON_ERROR_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SKEW_FIELD_NUMBER: _ClassVar[int]
    tiers: _containers.RepeatedScalarFieldContainer[str]
    ttl: _duration_pb2.Duration
    negative_ttl: _duration_pb2.Duration
    staleness: _duration_pb2.Duration
    columns: _containers.RepeatedScalarFieldContainer[str]
    queries: bool
    write_through: bool
    serve_stale_on_error: bool
    clock_skew: _duration_pb2.Duration
    def __init__(self, tiers: _Optional[_Iterable[str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., negative_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., staleness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., columns: _Optional[_Iterable[str]] = ..., queries: bool = ..., write_through: bool = ..., serve_stale_on_error: bool = ..., clock_skew: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("name", "type", "role", "doc")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    role: ColumnRole
    doc: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., role: _Optional[_Union[ColumnRole, str]] = ..., doc: _Optional[str] = ...) -> None: ...

class TableLimits(_message.Message):
    __slots__ = ("row_bytes", "batch_keys", "batch_units", "unit_mutations", "page_rows", "page_bytes", "request_bytes", "partition_rows")
    ROW_BYTES_FIELD_NUMBER: _ClassVar[int]
    BATCH_KEYS_FIELD_NUMBER: _ClassVar[int]
    BATCH_UNITS_FIELD_NUMBER: _ClassVar[int]
    UNIT_MUTATIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_ROWS_FIELD_NUMBER: _ClassVar[int]
    PAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    PARTITION_ROWS_FIELD_NUMBER: _ClassVar[int]
    row_bytes: int
    batch_keys: int
    batch_units: int
    unit_mutations: int
    page_rows: int
    page_bytes: int
    request_bytes: int
    partition_rows: int
    def __init__(self, row_bytes: _Optional[int] = ..., batch_keys: _Optional[int] = ..., batch_units: _Optional[int] = ..., unit_mutations: _Optional[int] = ..., page_rows: _Optional[int] = ..., page_bytes: _Optional[int] = ..., request_bytes: _Optional[int] = ..., partition_rows: _Optional[int] = ...) -> None: ...

class ListTablesRequest(_message.Message):
    __slots__ = ("namespace", "page_size", "page_token")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    page_size: int
    page_token: str
    def __init__(self, namespace: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTablesResponse(_message.Message):
    __slots__ = ("tables", "next_page_token")
    TABLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedCompositeFieldContainer[Table]
    next_page_token: str
    def __init__(self, tables: _Optional[_Iterable[_Union[Table, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetTableRequest(_message.Message):
    __slots__ = ("table",)
    TABLE_FIELD_NUMBER: _ClassVar[int]
    table: str
    def __init__(self, table: _Optional[str] = ...) -> None: ...

class GetTableResponse(_message.Message):
    __slots__ = ("table",)
    TABLE_FIELD_NUMBER: _ClassVar[int]
    table: Table
    def __init__(self, table: _Optional[_Union[Table, _Mapping]] = ...) -> None: ...
