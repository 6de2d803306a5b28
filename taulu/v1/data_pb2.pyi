import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from taulu.v1 import consistency_pb2 as _consistency_pb2
from taulu.v1 import status_pb2 as _status_pb2
from taulu.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetRequest(_message.Message):
    __slots__ = ("table", "key", "columns", "consistency")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    table: str
    key: _value_pb2.Key
    columns: _containers.RepeatedScalarFieldContainer[str]
    consistency: _consistency_pb2.Consistency
    def __init__(self, table: _Optional[str] = ..., key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., columns: _Optional[_Iterable[str]] = ..., consistency: _Optional[_Union[_consistency_pb2.Consistency, _Mapping]] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("row", "facts")
    ROW_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    row: _value_pb2.Row
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, row: _Optional[_Union[_value_pb2.Row, _Mapping]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class BatchGetRequest(_message.Message):
    __slots__ = ("table", "keys", "columns", "consistency")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    table: str
    keys: _containers.RepeatedCompositeFieldContainer[_value_pb2.Key]
    columns: _containers.RepeatedScalarFieldContainer[str]
    consistency: _consistency_pb2.Consistency
    def __init__(self, table: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[_value_pb2.Key, _Mapping]]] = ..., columns: _Optional[_Iterable[str]] = ..., consistency: _Optional[_Union[_consistency_pb2.Consistency, _Mapping]] = ...) -> None: ...

class BatchGetResponse(_message.Message):
    __slots__ = ("outcomes", "facts")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[RowOutcome]
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, outcomes: _Optional[_Iterable[_Union[RowOutcome, _Mapping]]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class RowOutcome(_message.Message):
    __slots__ = ("found", "absent", "failed")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    found: _value_pb2.Row
    absent: Absent
    failed: _status_pb2.Error
    def __init__(self, found: _Optional[_Union[_value_pb2.Row, _Mapping]] = ..., absent: _Optional[_Union[Absent, _Mapping]] = ..., failed: _Optional[_Union[_status_pb2.Error, _Mapping]] = ...) -> None: ...

class Absent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("table", "partition", "range", "reverse", "columns", "consistency", "page_size", "page_bytes", "page_token")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    REVERSE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    table: str
    partition: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    range: ClusteringRange
    reverse: bool
    columns: _containers.RepeatedScalarFieldContainer[str]
    consistency: _consistency_pb2.Consistency
    page_size: int
    page_bytes: int
    page_token: str
    def __init__(self, table: _Optional[str] = ..., partition: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., range: _Optional[_Union[ClusteringRange, _Mapping]] = ..., reverse: bool = ..., columns: _Optional[_Iterable[str]] = ..., consistency: _Optional[_Union[_consistency_pb2.Consistency, _Mapping]] = ..., page_size: _Optional[int] = ..., page_bytes: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ClusteringRange(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: ClusteringBound
    end: ClusteringBound
    def __init__(self, start: _Optional[_Union[ClusteringBound, _Mapping]] = ..., end: _Optional[_Union[ClusteringBound, _Mapping]] = ...) -> None: ...

class ClusteringBound(_message.Message):
    __slots__ = ("prefix", "exclusive")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    prefix: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    exclusive: bool
    def __init__(self, prefix: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., exclusive: bool = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("rows", "next_page_token", "facts")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[_value_pb2.Row]
    next_page_token: str
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, rows: _Optional[_Iterable[_Union[_value_pb2.Row, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class ScanRequest(_message.Message):
    __slots__ = ("table", "segment", "segment_count", "columns", "consistency", "page_size", "page_token")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    table: str
    segment: int
    segment_count: int
    columns: _containers.RepeatedScalarFieldContainer[str]
    consistency: _consistency_pb2.Consistency
    page_size: int
    page_token: str
    def __init__(self, table: _Optional[str] = ..., segment: _Optional[int] = ..., segment_count: _Optional[int] = ..., columns: _Optional[_Iterable[str]] = ..., consistency: _Optional[_Union[_consistency_pb2.Consistency, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ScanResponse(_message.Message):
    __slots__ = ("rows", "next_page_token", "facts")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[_value_pb2.Row]
    next_page_token: str
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, rows: _Optional[_Iterable[_Union[_value_pb2.Row, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class Mutation(_message.Message):
    __slots__ = ("put", "update", "delete", "delete_range")
    PUT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    DELETE_RANGE_FIELD_NUMBER: _ClassVar[int]
    put: Put
    update: Update
    delete: Delete
    delete_range: DeleteRange
    def __init__(self, put: _Optional[_Union[Put, _Mapping]] = ..., update: _Optional[_Union[Update, _Mapping]] = ..., delete: _Optional[_Union[Delete, _Mapping]] = ..., delete_range: _Optional[_Union[DeleteRange, _Mapping]] = ...) -> None: ...

class Put(_message.Message):
    __slots__ = ("key", "columns", "ttl")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    key: _value_pb2.Key
    columns: _containers.MessageMap[str, _value_pb2.Value]
    ttl: _duration_pb2.Duration
    def __init__(self, key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., columns: _Optional[_Mapping[str, _value_pb2.Value]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("key", "columns", "ttl")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    key: _value_pb2.Key
    columns: _containers.MessageMap[str, _value_pb2.Value]
    ttl: _duration_pb2.Duration
    def __init__(self, key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., columns: _Optional[_Mapping[str, _value_pb2.Value]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Delete(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: _value_pb2.Key
    def __init__(self, key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ...) -> None: ...

class DeleteRange(_message.Message):
    __slots__ = ("partition", "range")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    partition: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    range: ClusteringRange
    def __init__(self, partition: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., range: _Optional[_Union[ClusteringRange, _Mapping]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("key", "if_absent", "if_present", "if_version", "if_columns")
    KEY_FIELD_NUMBER: _ClassVar[int]
    IF_ABSENT_FIELD_NUMBER: _ClassVar[int]
    IF_PRESENT_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    IF_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    key: _value_pb2.Key
    if_absent: Absent
    if_present: Present
    if_version: int
    if_columns: ColumnsEqual
    def __init__(self, key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., if_absent: _Optional[_Union[Absent, _Mapping]] = ..., if_present: _Optional[_Union[Present, _Mapping]] = ..., if_version: _Optional[int] = ..., if_columns: _Optional[_Union[ColumnsEqual, _Mapping]] = ...) -> None: ...

class Present(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ColumnsEqual(_message.Message):
    __slots__ = ("columns",)
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, columns: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class WriteRequest(_message.Message):
    __slots__ = ("table", "mutations", "conditions", "token", "consistency")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    MUTATIONS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    table: str
    mutations: _containers.RepeatedCompositeFieldContainer[Mutation]
    conditions: _containers.RepeatedCompositeFieldContainer[Condition]
    token: _consistency_pb2.IdempotencyToken
    consistency: _consistency_pb2.ConsistencyLevel
    def __init__(self, table: _Optional[str] = ..., mutations: _Optional[_Iterable[_Union[Mutation, _Mapping]]] = ..., conditions: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ..., consistency: _Optional[_Union[_consistency_pb2.ConsistencyLevel, str]] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("facts",)
    FACTS_FIELD_NUMBER: _ClassVar[int]
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class WriteUnit(_message.Message):
    __slots__ = ("mutations", "conditions", "token")
    MUTATIONS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    mutations: _containers.RepeatedCompositeFieldContainer[Mutation]
    conditions: _containers.RepeatedCompositeFieldContainer[Condition]
    token: _consistency_pb2.IdempotencyToken
    def __init__(self, mutations: _Optional[_Iterable[_Union[Mutation, _Mapping]]] = ..., conditions: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ...) -> None: ...

class BatchWriteRequest(_message.Message):
    __slots__ = ("table", "units", "consistency")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    table: str
    units: _containers.RepeatedCompositeFieldContainer[WriteUnit]
    consistency: _consistency_pb2.ConsistencyLevel
    def __init__(self, table: _Optional[str] = ..., units: _Optional[_Iterable[_Union[WriteUnit, _Mapping]]] = ..., consistency: _Optional[_Union[_consistency_pb2.ConsistencyLevel, str]] = ...) -> None: ...

class BatchWriteResponse(_message.Message):
    __slots__ = ("outcomes", "facts")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[WriteOutcome]
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, outcomes: _Optional[_Iterable[_Union[WriteOutcome, _Mapping]]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class WriteOutcome(_message.Message):
    __slots__ = ("written", "failed")
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    written: Written
    failed: _status_pb2.Error
    def __init__(self, written: _Optional[_Union[Written, _Mapping]] = ..., failed: _Optional[_Union[_status_pb2.Error, _Mapping]] = ...) -> None: ...

class Written(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...
